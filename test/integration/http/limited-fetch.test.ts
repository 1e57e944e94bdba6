// limitedFetch against local servers: the ending of each lease, and the response for the client.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { limitedFetch } from "../../../src/http/index.ts";
import {
  answer,
  CHAT,
  closeServers,
  delta,
  events,
  eventually,
  fetchFixture,
  type Handler,
  serve,
  USAGE,
} from "../../support/http/fetch-fixture.ts";

afterEach(closeServers);

/** A server, a limiter and the `fetch` between them. */
async function limited(handler: Handler, options: object = {}, limits?: object) {
  const server = await serve(handler);
  const fixture = fetchFixture(["a"], { ...(limits && { limits }) });
  const fetch = limitedFetch(fixture.limiter, { capability: "chat", provider: "a", ...options });
  return {
    server,
    ...fixture,
    inFlight: () => fixture.inFlight,
    fixture,
    fetch,
    post: (init: object = {}) => fetch(server.url, { method: "POST", ...init }),
  };
}

/** Everything has ended, and nothing is in flight. */
async function ended({ fixture, endings }: Awaited<ReturnType<typeof limited>>, ...expected: readonly string[]) {
  await eventually(() => endings.length >= expected.length);
  expect(endings).toEqual(expected.map((status) => `a ${status}`));
  // A place of an unanswered request becomes free a second later.
  await eventually(() => fixture.inFlight === 0);
}

describe("the body of a response", () => {
  it("a JSON answer that is read settles the lease with its exact usage", async () => {
    const test = await limited(answer(200, CHAT));
    const response = await test.post();
    expect(await response.json()).toEqual(CHAT);
    await ended(test, "success");
    expect(test.used("a")).toEqual([12, 34]);
  });

  it("an unread JSON answer ends its lease, because up to 1 MiB is read ahead", async () => {
    const test = await limited(answer(200, { ...CHAT, text: "x".repeat(900_000) }));
    const response = await test.post();
    await ended(test, "success");
    expect(test.used("a")).toEqual([12, 34]);
    expect(((await response.json()) as { text: string }).text).toHaveLength(900_000);
  });

  it("a larger JSON answer is not read to its end before the caller reads it, and its usage at the end is found", async () => {
    const test = await limited(answer(200, { text: "x".repeat(8_000_000), ...CHAT }));
    const response = await test.post();
    await sleep(150);
    expect([test.endings, test.inFlight()]).toEqual([[], 1]);
    expect((await response.text()).length).toBeGreaterThan(8_000_000);
    await ended(test, "success");
    expect(test.used("a")).toEqual([12, 34]);
  });

  it("a stream that is read settles the lease with the usage of its last event", async () => {
    const test = await limited(events([delta("a"), delta("b", "stop"), USAGE, "[DONE]"]));
    expect(await (await test.post()).text()).toContain("[DONE]");
    await ended(test, "success");
    expect(test.used("a")).toEqual([12, 34]);
  });

  it("a short unread stream ends its lease", async () => {
    const test = await limited(events([delta("a"), delta("b", "stop"), USAGE, "[DONE]"]));
    await test.post();
    await ended(test, "success");
  });

  it("a stream without a usage counts its events as the output", async () => {
    const test = await limited(events([delta("a"), delta("b"), delta("c", "stop"), "[DONE]"]), {
      needs: () => ({ inputTokens: 7 }),
    });
    await (await test.post()).text();
    await ended(test, "success");
    expect(test.used("a")).toEqual([7, 3]);
  });

  it("the first and the last event of Anthropic state the usage together", async () => {
    const test = await limited(
      events([
        { type: "message_start", message: { usage: { input_tokens: 25, output_tokens: 1 } } },
        { type: "content_block_delta", delta: { text: "hi" } },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 15 } },
        { type: "message_stop" },
      ]),
    );
    await (await test.post()).text();
    await ended(test, "success");
    expect(test.used("a")).toEqual([25, 15]);
  });

  it.each([
    ["status 204", 204, "GET"],
    ["HEAD", 200, "HEAD"],
    ["an empty body", 200, "POST"],
  ])("a response without a body ends its lease immediately: %s", async (_, status, method) => {
    const test = await limited((response) => response.writeHead(status).end());
    const response = await test.fetch(test.server.url, { method });
    expect(response.status).toBe(status);
    await ended(test, "success");
  });

  it("a body that breaks in mid-stream is a server error, and the reader gets the error", async () => {
    const test = await limited(events([delta("a")], (response) => response.destroy()));
    const response = await test.post();
    await expect(response.text()).rejects.toThrow();
    await ended(test, "server_error");
  });

  it("a body that breaks after the last event is a success", async () => {
    const test = await limited(events([delta("a", "stop"), "[DONE]"], (response) => response.destroy()));
    const response = await test.post();
    await expect(response.text()).rejects.toThrow();
    await ended(test, "success");
  });

  it.each([
    ["overloaded", { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
    ["rate_limited", { error: { code: "rate_limit_exceeded", message: "slow down" } }],
    ["server_error", { error: { code: 502, message: "upstream" }, choices: [] }],
    ["server_error", { type: "error", error: { message: "who knows" } }],
    ["server_error", { type: "response.failed", response: { error: { code: "server_error" } } }],
  ])("an error event ends the lease as %s before the caller sees it", async (status, event) => {
    const test = await limited(events([delta("a"), event], () => {}));
    const abort = new AbortController();
    const reader = (await test.post({ signal: abort.signal })).body!.getReader();
    let text = "";
    while (!text.includes("error")) text += new TextDecoder().decode((await reader.read()).value);
    expect(test.endings).toEqual([`a ${status}`]);
    // As the clients do it.
    abort.abort();
    await ended(test, status);
  });

  it("the lease lives as long as the stream, and is cancelled if the caller leaves before the end", async () => {
    const test = await limited(
      events([delta("a"), delta("b")], () => {}),
      { needs: () => ({ inputTokens: 7 }) },
    );
    const reader = (await test.post()).body!.getReader();
    await reader.read();
    expect(test.inFlight()).toBe(1);
    await reader.cancel();
    await ended(test, "cancelled");
    await eventually(() => test.server.left === 1);
    expect(test.used("a")).toEqual([7, 2]);
  });

  it("a stream that is copied and left, as the AI SDK does it, ends its lease with the body of the server", async () => {
    const test = await limited(events([delta("a"), delta("b", "stop"), USAGE, "[DONE]"]));
    const [left, kept] = (await test.post()).body!.tee();
    const reader = left.getReader();
    await reader.read();
    reader.cancel();
    await ended(test, "success");
    expect(kept.locked).toBe(false);
  });

  it.each([
    ["[DONE]", [delta("a"), "[DONE]"]],
    ["a finish reason", [delta("a"), delta("b", "stop")]],
    ["message_stop", [{ type: "message_stop" }]],
    ["response.completed", [{ type: "response.completed", response: {} }]],
    ["a finish reason of Gemini", [{ candidates: [{ finishReason: "STOP" }] }]],
  ])("leaving after %s is a success", async (_, list) => {
    const test = await limited(events(list, () => {}));
    const reader = (await test.post()).body!.getReader();
    let text = "";
    const last = JSON.stringify(list.at(-1)).slice(0, 8).replace('"[DONE]', "[DONE]");
    while (!text.includes(last.slice(0, 6))) text += new TextDecoder().decode((await reader.read()).value);
    await sleep(30);
    await reader.cancel();
    await ended(test, "success");
  });

  it("an error in a JSON answer with status 200 is a failure", async () => {
    const test = await limited(answer(200, { error: { code: 429, message: "Rate limited upstream" } }));
    await (await test.post()).text();
    await ended(test, "rate_limited");
  });

  it("an unknown error in a JSON answer with status 200 is the business of the caller", async () => {
    const test = await limited(answer(200, { error: { message: "no such row" }, usage: { total_tokens: 5 } }));
    await (await test.post()).text();
    await ended(test, "success");
  });

  it("a body of another kind is handed on byte by byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 256));
    const test = await limited((response) => response.writeHead(200, { "content-type": "audio/mpeg" }).end(bytes));
    expect(Buffer.from(await (await test.post()).arrayBuffer()).equals(bytes)).toBe(true);
    await ended(test, "success");
  });
});

describe("the response", () => {
  it("keeps url, status, headers, redirected and type, and so does its clone", async () => {
    const test = await limited((response, { url }) => {
      if (url === "/old") response.writeHead(307, { location: "/new" }).end();
      else response.writeHead(201, "Made", { "x-own": "1", "content-type": "application/json" }).end('{"a":1}');
    });
    const response = await test.fetch(`${test.server.url}/old`);
    const clone = response.clone();
    const second = clone.clone();
    const plain = await fetch(`${test.server.url}/old`);
    for (const one of [response, clone, second]) {
      for (const part of ["url", "status", "statusText", "redirected", "type", "ok"] as const) {
        expect(one[part]).toEqual(plain[part]);
      }
      expect(one.headers.get("x-own")).toBe("1");
      expect(one).toBeInstanceOf(Response);
      expect(await one.json()).toEqual({ a: 1 });
    }
    await ended(test, "success");
  });

  it("a redirect that is not followed is handed on", async () => {
    const test = await limited((response) => response.writeHead(302, { location: "/x" }).end("moved"));
    const response = await test.fetch(test.server.url, { redirect: "manual" });
    expect([response.status, response.headers.get("location"), await response.text()]).toEqual([302, "/x", "moved"]);
    await ended(test, "client_error");
  });

  it.each([
    [429, "rate_limited"],
    [503, "overloaded"],
    [529, "overloaded"],
    [401, "unauthorized"],
    [400, "client_error"],
    [404, "client_error"],
    [402, "quota_exhausted"],
  ])("a %i settles the lease as %s and is handed on untouched, once", async (status, expected) => {
    const body = { error: { message: `it is ${status}` } };
    const test = await limited(answer(status, body, { "x-own": "1" }));
    const response = await test.post();
    await ended(test, expected);
    expect([response.status, response.ok, response.headers.get("x-own"), response.url]).toEqual([
      status,
      false,
      "1",
      `${test.server.url}/`,
    ]);
    expect(await response.clone().text()).toBe(JSON.stringify(body));
    expect(await response.json()).toEqual(body);
    expect(test.server.seen).toHaveLength(1);
  });

  it("the body of a failure refines its class", async () => {
    const test = await limited(answer(429, { error: { type: "insufficient_quota", code: "insufficient_quota" } }));
    await (await test.post()).text();
    await ended(test, "quota_exhausted");
  });

  it("a stated wait becomes the cooldown", async () => {
    const test = await limited(answer(429, {}, { "retry-after": "7" }));
    await test.post();
    const { cooldownMs } = test.limiter.inspect().providers[0]!;
    expect(cooldownMs).toBeGreaterThan(6_000);
    expect(cooldownMs).toBeLessThanOrEqual(7_000);
  });

  it("a large body of a failure is handed on whole, although only 64 KiB are read for the class", async () => {
    const text = "y".repeat(500_000);
    const test = await limited((response) => response.writeHead(500).end(text));
    const response = await test.post();
    await ended(test, "server_error");
    expect(await response.text()).toBe(text);
  });

  it("a failure with a stalled body is handed on after a second, and the rest of its body later", async () => {
    const test = await limited(async (response) => {
      response.writeHead(500);
      response.write("first ");
      await sleep(1_500);
      response.end("second");
    });
    const startedAt = performance.now();
    const response = await test.post();
    const ms = performance.now() - startedAt;
    expect(ms).toBeGreaterThan(950);
    expect(ms).toBeLessThan(1_450);
    await ended(test, "server_error");
    expect(await response.text()).toBe("first second");
  });

  it("a failure with a broken body gives the reader the error", async () => {
    const test = await limited(async (response) => {
      response.writeHead(500, { "content-length": "100" });
      response.write("first");
      await sleep(50);
      response.destroy();
    });
    const response = await test.post();
    await ended(test, "server_error");
    await expect(response.text()).rejects.toThrow();
  });
});

describe("the request", () => {
  it("a connection that breaks before the headers is a server error, and the client gets the error of fetch", async () => {
    const test = await limited((response) => response.destroy());
    const plain = await fetch(test.server.url).catch((error: unknown) => error);
    const error = await test.post().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe((plain as Error).message);
    await ended(test, "server_error");
    expect(test.server.seen).toHaveLength(2);
  });

  it("an abort before the headers cancels the lease and the request, and rejects with the reason", async () => {
    const test = await limited(() => {});
    const abort = new AbortController();
    const asked = test.post({ signal: abort.signal });
    await eventually(() => test.server.seen.length === 1);
    const reason = new Error("enough");
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await ended(test, "cancelled");
    await eventually(() => test.server.left === 1);
  });

  it("an abort in mid-stream cancels the lease and the request", async () => {
    const test = await limited(events([delta("a")], () => {}));
    const abort = new AbortController();
    const reader = (await test.post({ signal: abort.signal })).body!.getReader();
    await reader.read();
    abort.abort();
    await expect(reader.read()).rejects.toMatchObject({ name: "AbortError" });
    await ended(test, "cancelled");
    await eventually(() => test.server.left === 1);
  });

  it.each(["before the headers", "in mid-stream"])("a time-out of the client %s is a time-out", async (when) => {
    const test = await limited(when === "in mid-stream" ? events([delta("a")], () => {}) : () => {});
    const asked = test.post({ signal: AbortSignal.timeout(200) }).then((response) => response.text());
    await expect(asked).rejects.toMatchObject({ name: "TimeoutError" });
    await ended(test, "timeout");
  });

  it("attemptTimeoutMs ends the request with a TimeoutError", async () => {
    const test = await limited(() => {}, { attemptTimeoutMs: 100 });
    await expect(test.post()).rejects.toMatchObject({ name: "TimeoutError" });
    await eventually(() => test.server.left === 1 && test.inFlight() === 0);
    expect(test.server.seen).toHaveLength(1);
  });

  it("a signal that has aborted sends nothing", async () => {
    const test = await limited(answer(200, CHAT));
    await expect(test.post({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect([test.server.seen.length, test.inFlight()]).toEqual([0, 0]);
  });

  it("a Request is sent as it is, with its body and its signal", async () => {
    const test = await limited(answer(200, CHAT));
    const headers = { "x-own": "1", "content-type": "application/json" };
    const request = new Request(`${test.server.url}/v1?q=1`, { method: "PUT", body: '{"a":1}', headers });
    await (await test.fetch(request)).text();
    await (await test.fetch(new URL(`${test.server.url}/url`))).text();
    expect(test.server.seen).toMatchObject([
      { method: "PUT", url: "/v1?q=1", body: '{"a":1}', headers: { "x-own": "1" } },
      { method: "GET", url: "/url" },
    ]);
    const abort = new AbortController();
    const asked = test.fetch(new Request(test.server.url, { signal: abort.signal }));
    abort.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  });

  it("a body that is a stream is sent once", async () => {
    const test = await limited(answer(500));
    const body = new Blob(["one ", "two"]).stream();
    const response = await test.post({ body, duplex: "half" });
    expect(response.status).toBe(500);
    expect(test.server.seen.map((seen) => seen.body)).toEqual(["one two"]);
  });

  it("the demand is that of the body", async () => {
    const reserved: unknown[] = [];
    const test = await limited(answer(200, {}));
    test.limiter.on("leaseGranted", ({ lease }) => reserved.push(lease.reserved));
    const messages = [{ role: "user", content: "x".repeat(396) }];
    await test.post({ body: JSON.stringify({ model: "m", messages, max_tokens: 50 }) });
    await test.post({ body: "no JSON" });
    expect(reserved[0]).toMatchObject({ inputTokens: 100, outputTokens: 50 });
  });

  it("requests wait for capacity", async () => {
    const test = await limited(
      async (response, seen) => {
        await sleep(50);
        answer(200, CHAT)(response, seen);
      },
      {},
      { concurrency: 2, itpm: 1_000_000, otpm: 1_000_000 },
    );
    const all = Array.from({ length: 6 }, () => test.post().then((response) => response.text()));
    await sleep(25);
    expect(test.server.seen).toHaveLength(2);
    await Promise.all(all);
    await ended(test, ...Array<string>(6).fill("success"));
  });

  it("without capacity in time the client gets a 429 with the wait, and nothing is sent", async () => {
    const test = await limited(answer(200, CHAT), { maxWaitMs: 0 }, { rpm: 1 });
    await (await test.post()).text();
    const response = await test.post();
    expect(response.status).toBe(429);
    const seconds = Number(response.headers.get("retry-after"));
    const ms = Number(response.headers.get("retry-after-ms"));
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(61);
    expect(Math.ceil(ms / 1_000)).toBe(seconds);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining("no provider available") },
    });
    expect(test.server.seen).toHaveLength(1);
  });

  it("without a known time the client gets a 503", async () => {
    const test = await limited(answer(401));
    await test.post();
    test.limiter.updateProvider("a", { paused: true });
    const response = await test.post();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, null]);
    expect(response.headers.get("x-should-retry")).toBe("false");
  });

  it("an unknown provider or capability is an error of limitedFetch itself", () => {
    const { limiter } = fetchFixture(["a", "b"]);
    expect(() => limitedFetch(limiter, { capability: "chat", provider: "c" as "a" })).toThrow(
      'limitedFetch: provider: expected a provider of "chat" (a, b), got c',
    );
    expect(() => limitedFetch(limiter, { capability: "chta" as "chat", provider: "a" })).toThrow("chta");
  });
});

describe("many requests", () => {
  it("one signal can end any number of streams, without a warning of the runtime", async () => {
    const warnings: string[] = [];
    const note = ({ message }: Error) => warnings.push(message);
    process.on("warning", note);
    const test = await limited(
      events([delta("a")], () => {}),
      { needs: () => ({ inputTokens: 1, outputTokens: 1 }) },
    );
    const abort = new AbortController();
    const streams = await Promise.all(Array.from({ length: 50 }, () => test.post({ signal: abort.signal })));
    await Promise.all(streams.slice(0, 20).map((stream) => stream.body!.cancel()));
    expect(test.inFlight()).toBeGreaterThanOrEqual(30);
    abort.abort();
    await ended(test, ...Array<string>(50).fill("cancelled"));
    await sleep(20);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  it("the parts that were read ahead come before the error of a broken body", async () => {
    const test = await limited(events([delta("a"), delta("b"), delta("c")], (response) => response.destroy()));
    const response = await test.post();
    await ended(test, "server_error");
    let text = "";
    const read = async () => {
      for await (const part of response.body!) text += new TextDecoder().decode(part);
    };
    await expect(read()).rejects.toThrow();
    expect(text.match(/content/g)).toHaveLength(3);
  });

  it("1,000 concurrent streams with aborts at random leave nothing in flight", async () => {
    const COUNT = 1_000;
    const test = await limited(
      async (response, seen) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (let i = 0; i < 8 && !response.destroyed; i++) {
          response.write(`data: ${JSON.stringify(delta(seen.url))}\n\n`);
          await sleep(20);
        }
        response.end("data: [DONE]\n\n");
      },
      { needs: () => ({ inputTokens: 10, outputTokens: 10 }) },
    );
    const one = async (i: number) => {
      const abort = new AbortController();
      const kind = i % 5;
      const timer = kind < 2 ? setTimeout(() => abort.abort(), Math.random() * 400) : undefined;
      try {
        const response = await test.fetch(`${test.server.url}/${i}`, { signal: abort.signal });
        if (kind === 2) await response.text();
        else if (kind === 3) {
          const reader = response.body!.getReader();
          for (let reads = Math.random() * 6; reads > 0; reads--) await reader.read();
          await reader.cancel();
        } else if (kind < 2) for await (const _ of response.body!) if (Math.random() < 0.05) break;
        // Kind 4 reads nothing.
      } catch (error) {
        if ((error as Error).name !== "AbortError") throw error;
      } finally {
        clearTimeout(timer);
      }
    };
    await Promise.all(Array.from({ length: COUNT }, (_, i) => one(i)));
    await eventually(() => test.inFlight() === 0);
    expect(test.endings).toHaveLength(COUNT);
    expect(new Set(test.endings)).toEqual(new Set(["a success", "a cancelled"]));
    expect(test.limiter.inspect()).toMatchObject({ oldestLeaseMs: null, waiting: {} });
  });
});
