// routedFetch against local servers: the request that each target receives, and the moves between targets.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { type RoutedTarget, routedFetch } from "../../../src/http/index.ts";
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
} from "../../support/http/fetch-fixture.ts";

afterEach(closeServers);

const CLIENT_URL = "https://api.openai.com/v1/chat/completions";

/** A client that knows OpenAI alone, and the servers "a" and "b", of which "a" is asked first. */
async function routed(a: Handler, b: Handler, targets: { a?: object; b?: object } = {}, options: object = {}) {
  const servers = { a: await serve(a), b: await serve(b) };
  const fixture = fetchFixture(["a", "b"]);
  const target = (name: "a" | "b"): RoutedTarget => ({
    baseURL: `${servers[name].url}/v1`,
    apiKey: `key-${name}`,
    ...targets[name],
  });
  const fetch = routedFetch(fixture.limiter, "chat", { a: target("a"), b: target("b") }, options);
  const post = (init: RequestInit = {}, url = CLIENT_URL) => {
    const body = JSON.stringify({ model: "gpt", messages: [] });
    const headers = { authorization: "Bearer routed", "content-type": "application/json" };
    return fetch(url, { method: "POST", headers, body, ...init });
  };
  const idle = () => eventually(() => fixture.inFlight === 0);
  return { servers, ...fixture, fetch, post, idle };
}

describe("the request to a target", () => {
  it("has the base URL, the key and the model of the target", async () => {
    const test = await routed(answer(200, CHAT), answer(200, CHAT), {
      a: { model: "llama", headers: { "x-own": "1" } },
    });
    expect(await (await test.post()).json()).toEqual(CHAT);
    const [seen] = test.servers.a.seen;
    expect(seen).toMatchObject({ method: "POST", url: "/v1/chat/completions" });
    expect(seen!.headers).toMatchObject({ authorization: "Bearer key-a", "x-own": "1" });
    expect(JSON.parse(seen!.body)).toEqual({ model: "llama", messages: [] });
    await test.idle();
    expect(test.endings).toEqual(["a success"]);
  });

  it("keeps the body to the letter if the model stays", async () => {
    const test = await routed(answer(200), answer(200));
    const body = '{ "model" : "gpt", "seed": 12345678901234567890 }';
    await test.post({ body });
    expect(test.servers.a.seen[0]!.body).toBe(body);
  });

  it.each([
    ["x-api-key", { "x-api-key": "key-a" }],
    ["api-key", { "api-key": "key-a" }],
    ["x-goog-api-key", { "x-goog-api-key": "key-a" }],
    ["authorization", { authorization: "Bearer key-a" }],
    ["accept", { authorization: "Bearer key-a" }],
  ])("has its key in the header %s if the client has one there", async (name, expected) => {
    const test = await routed(answer(200), answer(200));
    await test.post({ headers: { [name]: "own" } });
    const { headers } = test.servers.a.seen[0]!;
    expect(headers).toMatchObject(expected);
    const places = ["authorization", "x-api-key", "api-key", "x-goog-api-key"].filter((place) => place in headers);
    expect(places).toEqual(Object.keys(expected));
  });

  it("never has a key of the client, and lacks what the target sets to null", async () => {
    const target = { apiKey: undefined, headers: { "openai-organization": null } };
    const test = await routed(answer(200), answer(200), { a: target });
    await test.post({ headers: { authorization: "Bearer secret", "openai-organization": "org" } });
    const { headers } = test.servers.a.seen[0]!;
    expect([headers.authorization, headers["openai-organization"]]).toEqual([undefined, undefined]);
  });

  it.each([
    ["https://api.openai.com/v1/models?limit=2", "/v1", "", "/v1/models?limit=2"],
    ["https://api.openai.com/v1/models?limit=2", "/v1/", "", "/v1/models?limit=2"],
    ["https://api.openai.com/v1/models", "", "", "/models"],
    ["https://api.openai.com/v1/models", "/openai/v1", "", "/openai/v1/models"],
    ["https://api.openai.com/v1/models", "/v1beta/openai/", "", "/v1beta/openai/models"],
    ["https://api.openai.com/v1/models?a=1", "/dep?api-version=2&a=3", "", "/dep/models?a=1&api-version=2"],
    ["https://api.anthropic.com/v1/messages", "", "", "/v1/messages"],
    ["https://api.anthropic.com/v1/messages", "/anthropic", "", "/anthropic/v1/messages"],
    ["http://localhost:1/v1/chat/completions", "/openai/v1", "", "/openai/v1/chat/completions"],
    ["http://localhost:1/proxy/chat/completions", "/v1", "http://localhost:1/proxy/", "/v1/chat/completions"],
    ["http://localhost:1/v10/chat", "/v1", "", "/v1/v10/chat"],
  ])("%s at the base %s (client's base: %s) has the path %s", async (url, base, own, expected) => {
    const server = await serve(answer(200));
    const { limiter } = fetchFixture(["a"]);
    const targets = { a: { baseURL: server.url + base } };
    const fetch = routedFetch(limiter, "chat", targets, own === "" ? {} : { baseURL: own });
    await fetch(url);
    expect(server.seen[0]!.url).toBe(expected);
  });

  it("of a client with the base URL of one target goes to the path of another", async () => {
    const test = await routed(answer(200), answer(200), {
      a: { baseURL: "http://127.0.0.1:1/openai/v1" },
    });
    test.limiter.updateProvider("a", { paused: true });
    await test.post({}, "http://127.0.0.1:1/openai/v1/chat/completions");
    expect(test.servers.b.seen[0]!.url).toBe("/v1/chat/completions");
  });

  it("can be a Request, which is sent once", async () => {
    const test = await routed(answer(503), answer(200, CHAT));
    const init = { method: "POST", body: '{"model":"m"}', headers: { authorization: "Bearer routed", "x-own": "1" } };
    const response = await test.fetch(new Request(CLIENT_URL, init));
    expect(response.status).toBe(503);
    expect(test.servers.a.seen[0]).toMatchObject({
      method: "POST",
      url: "/v1/chat/completions",
      body: '{"model":"m"}',
    });
    expect(test.servers.a.seen[0]!.headers).toMatchObject({ authorization: "Bearer key-a", "x-own": "1" });
    expect(test.servers.b.seen).toEqual([]);
    expect((await test.fetch(new Request(CLIENT_URL))).status).toBe(200);
  });
});

describe("failover", () => {
  it.each([
    [429, "rate_limited"],
    [500, "server_error"],
    [503, "overloaded"],
    [529, "overloaded"],
    [401, "unauthorized"],
    [402, "quota_exhausted"],
    [413, "unsuitable"],
  ])("a %i moves the request on before the client sees it", async (status, expected) => {
    const test = await routed(answer(status), answer(200, CHAT));
    const response = await test.post();
    expect([response.status, await response.json()]).toEqual([200, CHAT]);
    await test.idle();
    expect(test.endings).toEqual([`a ${expected}`, "b success"]);
  });

  it("a broken connection moves the request on", async () => {
    const test = await routed((response) => response.destroy(), answer(200, CHAT));
    expect((await test.post()).status).toBe(200);
    await test.idle();
    expect(test.endings).toEqual(["a server_error", "b success"]);
  });

  it("attemptTimeoutMs moves the request on", async () => {
    const test = await routed(() => {}, answer(200, CHAT), {}, { attemptTimeoutMs: 100 });
    expect((await test.post()).status).toBe(200);
    await eventually(() => test.servers.a.left === 1);
  });

  it.each([400, 404, 422])("a %i is handed on untouched", async (status) => {
    const body = { error: { message: "no", type: "invalid_request_error" } };
    const test = await routed(answer(status, body, { "x-own": "1" }), answer(200));
    const response = await test.post();
    expect([response.status, response.headers.get("x-own"), await response.json()]).toEqual([status, "1", body]);
    expect(test.servers.b.seen).toEqual([]);
    expect(test.endings).toEqual(["a client_error"]);
  });

  it("a stream that breaks after the headers does not move on", async () => {
    const test = await routed(
      events([delta("a")], (response) => response.destroy()),
      answer(200),
    );
    await expect((await test.post()).text()).rejects.toThrow();
    await test.idle();
    expect([test.endings, test.servers.b.seen.length]).toEqual([["a server_error"], 0]);
  });

  it("if all targets fail, the last response is handed on with its body", async () => {
    const test = await routed(answer(401, { from: "a" }), answer(402, { from: "b" }), {}, { maxWaitMs: 0 });
    const response = await test.post();
    expect([response.status, await response.json()]).toEqual([402, { from: "b" }]);
    expect(test.endings).toEqual(["a unauthorized", "b quota_exhausted"]);
  });

  it("if all targets fail, the last error is thrown", async () => {
    const broken: Handler = (response) => response.destroy();
    const test = await routed(broken, broken, {}, { maxAttempts: 2 });
    await expect(test.post()).rejects.toMatchObject({ name: "TypeError", message: "fetch failed" });
    await eventually(() => test.endings.length === 2);
  });

  it("if all targets find the request unsuitable, the first response is handed on", async () => {
    const test = await routed(answer(413, { from: "a" }), answer(413, { from: "b" }));
    expect(await (await test.post()).json()).toEqual({ from: "a" });
  });

  it("a body that is a stream is sent once", async () => {
    const test = await routed(answer(429, { from: "a" }), answer(200));
    const body = new Blob(["{}"]).stream();
    const response = await test.post({ body, duplex: "half" } as RequestInit);
    expect([response.status, await response.json()]).toEqual([429, { from: "a" }]);
    expect(test.servers.b.seen).toEqual([]);
    expect(test.endings).toEqual(["a rate_limited"]);
  });

  it("without capacity the client gets a refusal, and nothing is sent", async () => {
    const test = await routed(
      answer(200),
      answer(200),
      {},
      { maxWaitMs: 0, needs: () => ({ inputTokens: 2_000_000 }) },
    );
    const response = await test.post();
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([503, "false"]);
    expect(test.servers.a.seen.length + test.servers.b.seen.length).toBe(0);
  });

  it("an abort ends the request at all targets", async () => {
    const test = await routed(() => {}, answer(200));
    const abort = new AbortController();
    const asked = test.post({ signal: abort.signal });
    await eventually(() => test.servers.a.seen.length === 1);
    abort.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    expect([test.endings, test.servers.b.seen.length]).toEqual([["a cancelled"], 0]);
  });
});

describe("real clients", () => {
  it("a client of OpenAI is served by the target that can, with its own model", async () => {
    const test = await routed(answer(429), events([delta("hi"), delta("", "stop"), "[DONE]"]), {
      b: { model: "llama" },
    });
    const client = new OpenAI({ apiKey: "routed", maxRetries: 0, fetch: test.fetch });
    const stream = await client.chat.completions.create({ model: "gpt", messages: [], stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe("hi");
    expect(JSON.parse(test.servers.b.seen[0]!.body)).toMatchObject({ model: "llama", stream: true });
    await test.idle();
    expect(test.endings).toEqual(["a rate_limited", "b success"]);
  });

  it("a client of Anthropic throws its own error for a refusal, after one call", async () => {
    const test = await routed(
      answer(200),
      answer(200),
      {},
      { maxWaitMs: 0, needs: () => ({ inputTokens: 2_000_000 }) },
    );
    const client = new Anthropic({ apiKey: "routed", fetch: test.fetch });
    const asked = client.messages.create({ model: "m", max_tokens: 5, messages: [{ role: "user", content: "hi" }] });
    await expect(asked).rejects.toMatchObject({ status: 503 });
  });
});

describe("the targets", () => {
  it("one TypeError lists all that is wrong with them", () => {
    const { limiter } = fetchFixture(["a", "b", "c"]);
    const targets = {
      a: { baseURL: "https://a.example" },
      b: { baseURL: "no URL" },
      d: { baseURL: "https://d.example" },
    };
    expect(() => routedFetch(limiter, "chat", targets as never)).toThrow(
      new TypeError(
        "routedFetch: targets:\n  c: expected a target, got none\n" +
          "  b.baseURL: expected a URL, got no URL\n  d: expected a provider of the capability",
      ),
    );
  });

  it("an unknown capability is named", () => {
    const { limiter } = fetchFixture(["a"]);
    expect(() => routedFetch(limiter, "chta" as "chat", { a: { baseURL: "https://a.example" } })).toThrow("chta");
  });
});
