// Real clients with failing servers: fetch, the OpenAI client and the Anthropic client.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { GrateLimiter, type StatusClass, type TaskContext } from "../../src/index.ts";
import {
  type Answer,
  answering,
  deadUrl,
  RESETS,
  type ScriptedServer,
  SILENT,
  scriptedServer,
  streaming,
} from "../support/http/scripted-server.ts";
import { rejection } from "../support/run-fixture.ts";

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function server(answer: Answer): Promise<ScriptedServer> {
  const started = await scriptedServer(answer);
  servers.push(started);
  return started;
}

const COMPLETION = { id: "1", object: "chat.completion", created: 1, model: "m", choices: [] };
const MESSAGE = { id: "1", type: "message", role: "assistant", model: "m", content: [], usage: {} };

interface Client {
  ask(url: string, signal: AbortSignal, timeoutMs: number): Promise<unknown>;
  stream(url: string, signal: AbortSignal): Promise<AsyncIterable<unknown>>;
  readonly fine: Answer;
  readonly events: readonly unknown[];
}

const openai = (url: string, timeout?: number) => new OpenAI({ apiKey: "k", baseURL: url, maxRetries: 0, timeout });
const anthropic = (url: string, timeout?: number) =>
  new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0, timeout });
const asked = { model: "m", messages: [{ role: "user" as const, content: "hi" }] };

const CLIENTS: { readonly [name: string]: Client } = {
  fetch: {
    ask: (url, signal, timeoutMs) => fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) }),
    async stream(url, signal) {
      const response = await fetch(url, { signal });
      // A careful caller cancels the body; a failed client_error is returned unchanged.
      return (response.ok ? response.body : response) as AsyncIterable<unknown>;
    },
    fine: answering(200),
    events: ["one", "two"],
  },
  "the OpenAI client": {
    ask: (url, signal, timeoutMs) => openai(url, timeoutMs).chat.completions.create(asked, { signal }),
    stream: (url, signal) => openai(url).chat.completions.create({ ...asked, stream: true }, { signal }),
    fine: answering(200, {}, COMPLETION),
    events: [COMPLETION, COMPLETION],
  },
  "the Anthropic client": {
    ask: (url, signal, timeoutMs) => anthropic(url, timeoutMs).messages.create({ ...asked, max_tokens: 5 }, { signal }),
    stream: (url, signal) => anthropic(url).messages.create({ ...asked, max_tokens: 5, stream: true }, { signal }),
    fine: answering(200, {}, MESSAGE),
    events: [{ type: "message_start", message: MESSAGE }, { type: "content_block_start" }],
  },
};

const OPENAI_ERROR = { error: { message: "no", type: "requests", param: null, code: "rate_limit_exceeded" } };
const SPENT = { error: { message: "no", type: "insufficient_quota", param: null, code: "insufficient_quota" } };

function limiterOf(urls: { readonly [provider: string]: string }, options: object = {}): GrateLimiter {
  const names = Object.keys(urls);
  return new GrateLimiter({
    providers: names.map((name, place) => ({ name, priority: 10 - place })),
    capabilities: { chat: names },
    scoring: { quota: 0, health: 0, priority: 1, latency: 0 },
    random: () => 0.1,
    ...options,
  });
}

describe.each(Object.entries(CLIENTS))("the client %s", (of, client) => {
  const isSdk = of !== "fetch";

  async function failingOver(answer: Answer | string) {
    const timeoutMs = answer === SILENT ? 300 : 20_000;
    const [first, second] = [typeof answer === "string" ? null : await server(answer), await server(client.fine)];
    const urls: { [provider: string]: string } = { a: first?.url ?? (answer as string), b: second.url };
    const limiter = limiterOf(urls);
    const task = ({ provider, signal }: TaskContext) => client.ask(urls[provider]!, signal, timeoutMs);
    const cooldowns: number[] = [];
    limiter.on("cooldownStarted", ({ durationMs }) => cooldowns.push(durationMs));
    return { limiter, first, second, cooldowns, call: limiter.run("chat", task) };
  }

  it.each<[string, Answer, StatusClass, number | undefined]>([
    ["429 with Retry-After", answering(429, { "retry-after": "7" }, OPENAI_ERROR), "rate_limited", 7_000],
    [
      "429 with retry-after-ms",
      answering(429, { "retry-after-ms": "2500", "retry-after": "3" }),
      "rate_limited",
      2_500,
    ],
    [
      "429 with a date",
      (...asked) => answering(429, { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() })(...asked),
      "rate_limited",
      3_600_000,
    ],
    ["429 without", answering(429), "rate_limited", 1_000],
    ["401", answering(401), "unauthorized", 0],
    ["402", answering(402), "quota_exhausted", 60_000],
    ["403", answering(403), "forbidden", 0],
    ["408", answering(408), "timeout", 0],
    ["500", answering(500), "server_error", 0],
    [
      "502 of a proxy, in HTML",
      (response) => response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>"),
      "server_error",
      0,
    ],
    ["503", answering(503, { "retry-after": "5" }), "overloaded", 5_000],
    ["504", answering(504), "timeout", 0],
    [
      "529",
      answering(529, {}, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
      "overloaded",
      0,
    ],
    ["a reset before the answer", RESETS, "server_error", 0],
    ["silence, until the client's own time-out", SILENT, "timeout", 0],
  ])("the client reports %s", async (name, answer, status, cooldownMs = 0) => {
    const { limiter, first, second, cooldowns, call } = await failingOver(answer);
    const { provider, attempts } = await call;
    expect(provider).toBe("b");
    expect(attempts.map((attempt) => attempt.status)).toEqual([status, "success"]);
    expect([first!.asked, second.asked]).toEqual([1, 1]);
    // HTTP dates are in whole seconds.
    const inexactMs = name.endsWith("a date") ? 2_000 : 0;
    expect(cooldowns.length).toBe(Math.sign(cooldownMs));
    for (const ms of cooldowns) expect(Math.abs(ms - cooldownMs)).toBeLessThanOrEqual(inexactMs);
    const { state, inFlight } = limiter.inspect().providers[0]!;
    expect(state).toBe(status === "unauthorized" ? "dead" : cooldownMs > 0 ? "cooldown" : "available");
    // The server might still process a request that timed out.
    if (status !== "timeout") expect(inFlight).toBe(0);
  });

  it("a call fails over if the connection is refused", async () => {
    const { call } = await failingOver(await deadUrl());
    expect((await call).attempts.map(({ status }) => status)).toEqual(["server_error", "success"]);
  });

  it("a call fails over if the host is unknown, even if it is not idempotent", async () => {
    const second = await server(client.fine);
    const urls: { [provider: string]: string } = { a: "http://no-such-host.invalid", b: second.url };
    const task = ({ provider, signal }: TaskContext) => client.ask(urls[provider]!, signal, 20_000);
    const { attempts } = await limiterOf(urls).run("chat", task, { idempotent: false });
    expect(attempts.map(({ status }) => status)).toEqual(["server_error", "success"]);
  });

  it("a call that is not idempotent fails over after a refused connection, and not after a reset one", async () => {
    const dead = await deadUrl();
    const [resets, fine] = [await server(RESETS), await server(client.fine)];
    const by = (urls: { readonly [provider: string]: string }) =>
      limiterOf(urls).run("chat", ({ provider, signal }) => client.ask(urls[provider]!, signal, 5_000), {
        idempotent: false,
      });
    expect((await by({ a: dead, b: fine.url })).provider).toBe("b");
    expect(await rejection(by({ a: resets.url, b: fine.url }))).toMatchObject({ kind: "attempts_failed" });
    expect(fine.asked).toBe(1);
  });

  it.each([400, 404, 422])("status %i is an error of the caller and is returned unchanged", async (status) => {
    const { limiter, second, call } = await failingOver(answering(status));
    if (isSdk) expect(await rejection(call)).toMatchObject({ status });
    else expect((await call).value).toMatchObject({ status, bodyUsed: false });
    expect(second.asked).toBe(0);
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1, inFlight: 0 });
  });

  it("an abort of the caller ends the request and rejects with its reason", async () => {
    const silent = await server(SILENT);
    const limiter = limiterOf({ a: silent.url, b: silent.url });
    const controller = new AbortController();
    const reason = new Error("the user went away");
    const task = ({ signal }: TaskContext) => client.ask(silent.url, signal, 10_000);
    const call = rejection(limiter.run("chat", task, { signal: controller.signal }));
    await until(() => silent.asked === 1);
    controller.abort(reason);
    expect(await call).toBe(reason);
    await until(() => silent.abandoned === 1);
    expect(silent.asked).toBe(1);
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1 });
  });

  it("an abort by the task itself is an error of the task", async () => {
    const silent = await server(SILENT);
    const limiter = limiterOf({ a: silent.url, b: silent.url });
    const controller = new AbortController();
    const call = rejection(limiter.run("chat", () => client.ask(silent.url, controller.signal, 10_000)));
    await until(() => silent.asked === 1);
    controller.abort();
    const error = await call;
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).constructor.name).toBe(isSdk ? "APIUserAbortError" : "DOMException");
    expect(silent.asked).toBe(1);
    expect(limiter.providerHealth("a")).toBe(1);
  });

  it("attemptTimeoutMs ends the request and fails over", async () => {
    const [silent, fine] = [await server(SILENT), await server(client.fine)];
    const urls: { [provider: string]: string } = { a: silent.url, b: fine.url };
    const task = ({ provider, signal }: TaskContext) => client.ask(urls[provider]!, signal, 10_000);
    const { attempts } = await limiterOf(urls).run("chat", task, { attemptTimeoutMs: 200 });
    expect(attempts.map(({ status }) => status)).toEqual(["timeout", "success"]);
    await until(() => silent.abandoned === 1);
  });

  describe("stream", () => {
    const streamOf = (urls: { readonly [provider: string]: string }, options = {}) =>
      limiterOf(urls).stream("chat", ({ provider, signal }) => client.stream(urls[provider]!, signal), options);

    it("a stream fails over before its first chunk", async () => {
      const fine = await server(streaming(client.events, (response) => response.end()));
      for (const answer of [answering(429), answering(500), RESETS]) {
        const broken = await server(answer);
        const { value, provider } = await streamOf({ a: broken.url, b: fine.url });
        expect(provider).toBe("b");
        let chunks = 0;
        for await (const _ of value) chunks++;
        expect(chunks).toBeGreaterThan(0);
        expect(broken.asked).toBe(1);
      }
    });

    it("a stream with a broken connection ends with an error, never as a short success", async () => {
      const cut = await server(streaming(client.events, (response) => response.socket!.resetAndDestroy()));
      const urls = { a: cut.url, b: cut.url };
      const limiter = limiterOf(urls);
      const statuses: string[] = [];
      limiter.on("leaseSettled", ({ status }) => statuses.push(status));
      const { value } = await limiter.stream("chat", ({ signal }) => client.stream(cut.url, signal));
      const consume = async () => {
        for await (const _ of value);
      };
      expect(await rejection(consume())).toBeInstanceOf(Error);
      expect(statuses).toEqual(["server_error"]);
      expect(cut.asked).toBe(1);
    });

    it("leaving a stream early ends its request", async () => {
      const open = await server(streaming(client.events, () => {}));
      const { value } = await streamOf({ a: open.url });
      for await (const _ of value) break;
      await until(() => open.abandoned === 1);
    });

    it("chunkTimeoutMs ends a stalled stream, and attemptTimeoutMs one that never starts", async () => {
      const stalls = await server(streaming(client.events, () => {}));
      const { value } = await streamOf({ a: stalls.url }, { chunkTimeoutMs: 150 });
      const consume = async () => {
        for await (const _ of value);
      };
      expect(await rejection(consume())).toMatchObject({ name: "TimeoutError" });
      await until(() => stalls.abandoned === 1);
      const silent = await server(SILENT);
      const fine = await server(streaming(client.events, (response) => response.end()));
      const begun = await streamOf({ a: silent.url, b: fine.url }, { attemptTimeoutMs: 200 });
      expect(begun.attempts.map(({ status }) => status)).toEqual(["timeout", "success"]);
      await begun.value.return!();
    });
  });
});

describe("the OpenAI client", () => {
  it("a 429 of an account without credit is an exhausted quota", async () => {
    const [spent, fine] = [await server(answering(429, {}, SPENT)), await server(CLIENTS["the OpenAI client"]!.fine)];
    const urls: { [provider: string]: string } = { a: spent.url, b: fine.url };
    const { attempts } = await limiterOf(urls).run("chat", ({ provider }) =>
      openai(urls[provider]!).chat.completions.create(asked),
    );
    expect(attempts.map(({ status }) => status)).toEqual(["quota_exhausted", "success"]);
  });
});

/** Waits until the server has seen a request. */
async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > deadline) expect.unreachable("it did not come to be so");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
