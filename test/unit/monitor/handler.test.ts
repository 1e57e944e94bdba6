import { createHash } from "node:crypto";
import { GrateLimiter, InvalidConfig } from "grate-limiter";
import { type MonitorOptions, monitorHandler } from "grate-limiter/monitor";
import { describe, expect, it } from "vitest";

const limiter = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
const URL_OF_MONITOR = "https://example.com/monitor?team=1";
const STREAM = { accept: "text/event-stream" };

async function ask(options: MonitorOptions, url = URL_OF_MONITOR, init: RequestInit = {}): Promise<Response> {
  return monitorHandler(limiter, options)(new Request(url, init));
}

const ALLOWED: MonitorOptions = { authorize: () => true };

describe("the options of monitorHandler", () => {
  function problemsOf(options: unknown, of: unknown = limiter): readonly string[] {
    try {
      monitorHandler(of as GrateLimiter, options as MonitorOptions);
    } catch (error) {
      if (InvalidConfig.is(error)) return error.problems.map(({ path, got }) => `${path}: ${got}`);
      throw error;
    }
    return [];
  }

  it("valid options are accepted", () => {
    for (const options of [ALLOWED, { loopbackOnly: true }, { ...ALLOWED, loopbackOnly: false, title: "" }]) {
      expect(problemsOf(options)).toEqual([]);
    }
  });

  it("one of authorize and loopbackOnly is required", () => {
    const missing = ["authorize: undefined"];
    for (const options of [{}, { loopbackOnly: false }, { loopbackOnly: undefined, authorize: undefined }]) {
      expect(problemsOf(options)).toEqual(missing);
    }
    expect(() => monitorHandler(limiter, {})).toThrow(
      "authorize: expected a function, unless the server is bound to loopback and loopbackOnly is true, got undefined",
    );
  });

  it("all problems are reported together", () => {
    const options = { authorize: "yes", loopbackOnly: 1, title: 5, auth: () => true };
    expect(problemsOf(options)).toEqual(['authorize: "yes"', "loopbackOnly: 1", "title: 5", "auth: a function"]);
    expect(problemsOf(null, { on: 1 })).toEqual(["limiter: an object", "options: null", "authorize: undefined"]);
    expect(problemsOf(undefined, null)).toEqual(["limiter: null", "options: undefined", "authorize: undefined"]);
    expect(problemsOf({ loopbackOnly: true, authorize: null })).toEqual(["authorize: null"]);
  });
});

describe("the page", () => {
  it("the security policy allows the page's own script and style, and nothing else", async () => {
    const response = await ask(ALLOWED);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const html = await response.text();
    const hashes = (tag: string) =>
      [...html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))].map(
        ([, text]) => `'sha256-${createHash("sha256").update(text!).digest("base64")}'`,
      );
    const policy = response.headers.get("content-security-policy")!.split("; ");
    expect(hashes("script")).toHaveLength(1);
    expect(policy).toContain(`script-src ${hashes("script")[0]}`);
    expect(policy).toContain(`style-src ${hashes("style")[0]}`);
    const others = ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"];
    expect(policy).toEqual(expect.arrayContaining([...others, "frame-ancestors 'none'", "trusted-types 'none'"]));
    expect(policy.join().match(/unsafe|https?:|\*/)).toBeNull();
  });

  it("the page is one file: no handler in an attribute, no address of another host, and the licence of its charts", async () => {
    const html = await (await ask(ALLOWED)).text();
    const markup = html.replace(/<(script|style)>[\s\S]*?<\/\1>/g, "").replace(/<!--[\s\S]*?-->/g, "");
    expect(markup).not.toMatch(/\son[a-z]+=|\sstyle=|<(iframe|object|embed|base|form)/i);
    expect(markup.match(/(?:src|href)="(?!#)[^"]*"/g)!.every((link) => link.startsWith('href="data:image/svg'))).toBe(
      true,
    );
    expect(html.match(/https?:\/\/(?!www\.w3\.org)[\w.]+/g)).toBeNull();
    expect(html).toContain("The MIT License");
    expect(html).toContain("Leon Sorokin");
  });

  it("responses are not stored, and not read or framed by other sites", async () => {
    for (const headers of [{}, STREAM]) {
      const response = await ask(ALLOWED, URL_OF_MONITOR, { headers });
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "cache-control": "no-store, no-transform",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        vary: "accept",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
    }
  });

  it("the stream is at the address of the page, and is chosen by the type that is accepted", async () => {
    expect((await ask(ALLOWED, URL_OF_MONITOR, { headers: STREAM })).headers.get("content-type")).toBe(
      "text/event-stream; charset=utf-8",
    );
    expect((await ask(ALLOWED, URL_OF_MONITOR, { headers: { accept: "*/*" } })).headers.get("content-type")).toContain(
      "text/html",
    );
  });

  it("HEAD has the headers without a body, and other methods are refused", async () => {
    for (const headers of [{}, STREAM]) {
      const head = await ask(ALLOWED, URL_OF_MONITOR, { method: "HEAD", headers });
      expect([head.status, head.body]).toEqual([200, null]);
    }
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await ask(ALLOWED, URL_OF_MONITOR, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
  });

  it("at most 50 streams are open at one time", async () => {
    const handler = monitorHandler(limiter, ALLOWED);
    const request = () => new Request(URL_OF_MONITOR, { headers: STREAM });
    const readers = [];
    for (let i = 0; i < 50; i++) {
      const reader = (await handler(request())).body!.getReader();
      await reader.read();
      readers.push(reader);
    }
    const refused = await handler(request());
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "10"]);
    expect((await handler(new Request(URL_OF_MONITOR))).status).toBe(200);
    await readers[0]!.cancel();
    const next = await handler(request());
    expect(next.status).toBe(200);
    for (const reader of readers) await reader.cancel();
    await next.body!.cancel();
  });
});

describe("authorize", () => {
  it.each([
    ["true", true, 200],
    ["a promise of true", Promise.resolve(true), 200],
    ["false", false, 403],
    ["a promise of false", Promise.resolve(false), 403],
    ["undefined", undefined, 403],
    ["1, which is only truthy", 1, 403],
    ["a user object", { id: 7 }, 403],
    ['the text "true"', "true", 403],
    ["a function", () => true, 403],
    ["a response", new Response("login", { status: 401, headers: { "www-authenticate": "Basic" } }), 401],
  ])("%s is answered with the right status, for the page and for the stream", async (_, verdict, status) => {
    for (const headers of [{}, STREAM]) {
      const response = await ask({ authorize: () => verdict as boolean }, URL_OF_MONITOR, { headers });
      expect(response.status).toBe(status);
      if (status === 403) expect(await response.text()).toBe("Not allowed.\n");
    }
  });

  it("an error of authorize rejects, so that nothing is shown", async () => {
    const failing = () => {
      throw new Error("no session store");
    };
    await expect(ask({ authorize: failing })).rejects.toThrow("no session store");
    await expect(ask({ authorize: () => Promise.reject(new Error("late")) })).rejects.toThrow("late");
  });

  it("authorize gets the request itself, and is asked before anything is read", async () => {
    const seen: Request[] = [];
    const request = new Request(URL_OF_MONITOR, { method: "POST", headers: { cookie: "session=1" } });
    const response = await monitorHandler(limiter, {
      authorize: (given) => {
        seen.push(given);
        return false;
      },
    })(request);
    expect(seen).toEqual([request]);
    expect(response.status).toBe(403);
  });
});

describe("loopbackOnly", () => {
  const LOCAL: MonitorOptions = { loopbackOnly: true };

  it.each([
    "http://localhost/",
    "http://localhost:8080/monitor",
    "http://LOCALHOST/",
    "http://127.0.0.1:3000/",
    "http://127.8.9.10/",
    "http://2130706433/",
    "https://[::1]:3000/",
    "http://[0:0:0:0:0:0:0:1]/",
  ])("%s is allowed", async (url) => {
    expect((await ask(LOCAL, url)).status).toBe(200);
  });

  it.each([
    "http://example.com/",
    "http://localhost.example.com/",
    "http://127.0.0.1.example.com/",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[::ffff:10.0.0.1]/",
    "http://192.168.1.1:3000/",
    "http://128.0.0.1/",
  ])("%s is refused", async (url) => {
    for (const headers of [{}, STREAM]) expect((await ask(LOCAL, url, { headers })).status).toBe(403);
  });

  it("the Host header counts too: a name that a site resolved to the loopback (DNS rebinding) is refused", async () => {
    const url = "http://127.0.0.1:3000/";
    for (const host of [
      "evil.example",
      "evil.example:3000",
      "127.0.0.1.evil.example",
      "localhost:1@evil.example",
      "",
      "[",
    ]) {
      expect((await ask(LOCAL, url, { headers: { host } })).status, host).toBe(403);
    }
    for (const host of ["localhost:3000", "127.0.0.1", "[::1]:3000"]) {
      expect((await ask(LOCAL, url, { headers: { host } })).status, host).toBe(200);
    }
  });

  it.each(["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip"])(
    "a request with the header %s, which a proxy has passed on, is refused",
    async (name) => {
      expect((await ask(LOCAL, "http://localhost/", { headers: { [name]: "127.0.0.1" } })).status).toBe(403);
    },
  );

  it("with authorize, both must allow", async () => {
    const options = { loopbackOnly: true, authorize: ({ headers }: Request) => headers.has("cookie") };
    expect((await ask(options, "http://localhost/")).status).toBe(403);
    expect((await ask(options, "http://localhost/", { headers: { cookie: "a" } })).status).toBe(200);
    expect((await ask(options, "http://example.com/", { headers: { cookie: "a" } })).status).toBe(403);
  });
});

describe("requests of pages of other sites", () => {
  it.each([
    ["same-origin", "cors", 200],
    ["none", "navigate", 200],
    ["cross-site", "navigate", 200],
    ["cross-site", "cors", 403],
    ["cross-site", "no-cors", 403],
    ["same-site", "cors", 403],
  ])("sec-fetch-site %s with mode %s is answered with its status", async (site, mode, status) => {
    const headers = { "sec-fetch-site": site, "sec-fetch-mode": mode };
    expect((await ask(ALLOWED, URL_OF_MONITOR, { headers })).status).toBe(status);
  });
});
