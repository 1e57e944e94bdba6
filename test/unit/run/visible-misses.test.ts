// Outcomes and mistakes that would otherwise pass unseen.
import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig } from "../../../src/index.ts";
import { runFixture } from "../../support/run-fixture.ts";

async function chunksOf(chunks: AsyncIterable<unknown>): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return read;
}

describe("an outcome that no rule recognizes", () => {
  it("is counted and emitted by run, stream and map, with its names and without its content", async () => {
    const fixture = runFixture([{ name: "a" }]);
    const emitted: unknown[] = [];
    fixture.limiter.on("unrecognizedOutcome", (event) => emitted.push(event));
    class StrangeError extends Error {}
    const strange = Object.assign(new StrangeError("secret"), { code: "E_STRANGE" });
    const fail = async () => {
      throw strange;
    };
    await expect(fixture.limiter.run("chat", fail)).rejects.toBe(strange);
    await expect(fixture.limiter.stream("chat", fail as never)).rejects.toBe(strange);
    for await (const result of fixture.limiter.map("chat", [1], fail)) expect(result.ok).toBe(false);
    const { value } = await fixture.limiter.run("chat", () => ({ ok: false, error: "secret" }));
    expect(value).toEqual({ ok: false, error: "secret" });
    const names = { provider: "a", capability: "chat" };
    const failure = { ...names, name: "Error", code: "E_STRANGE", className: "StrangeError" };
    expect(emitted).toEqual([failure, failure, failure, { ...names, name: null, code: null, className: "Object" }]);
    expect(fixture.limiter.metrics.unrecognizedOutcomes).toBe(4);
  });

  it("an abort, a recognized failure and an answer of classify are no misses", async () => {
    const fixture = runFixture([{ name: "a" }]);
    const run = (error: unknown, classify?: () => "client_error") =>
      fixture.limiter.run("chat", () => Promise.reject(error), { classify, maxWaitMs: 0 }).catch(() => {});
    await run(new DOMException("aborted", "AbortError"));
    await run(Object.assign(new Error("x"), { status: 404 }));
    await run(new Error("x"), () => "client_error");
    expect(fixture.limiter.metrics.unrecognizedOutcomes).toBe(0);
  });

  it("an error in the middle of a stream counts once", async () => {
    const fixture = runFixture([{ name: "a" }]);
    const { value } = await fixture.limiter.stream("chat", async function* () {
      yield 1;
      throw new Error("typo");
    });
    await expect(chunksOf(value)).rejects.toThrow("typo");
    expect(fixture.limiter.metrics.unrecognizedOutcomes).toBe(1);
  });
});

describe("a task of run that returns a stream", () => {
  it.each([
    ["an async generator", (async function* () {})()],
    ["a web stream", new ReadableStream()],
    ["an object with an async iterator", { [Symbol.asyncIterator]: () => ({}) }],
  ])("%s is a TypeError that names stream()", async (_, value) => {
    const fixture = runFixture([{ name: "a" }]);
    await expect(fixture.limiter.run("chat", () => value)).rejects.toThrow(/call stream\(\)/);
    for await (const result of fixture.limiter.map("chat", [1], () => value)) {
      expect(result).toMatchObject({ ok: false, error: expect.any(TypeError) });
    }
    expect(fixture.limiter.inspect().providers[0]!.health).toBe(1);
  });

  it.each([
    ["a message of node:http", { statusCode: 200, [Symbol.asyncIterator]: () => ({}) }],
    ["a page of a list", { data: [], [Symbol.asyncIterator]: () => ({}) }],
    ["a list", [1]],
    ["a text", "text"],
  ])("%s is an answer", async (_, value) => {
    expect((await runFixture([{ name: "a" }]).limiter.run("chat", () => value)).value).toBe(value);
  });
});

describe("the first event of a stream", () => {
  const streaming = async (first: unknown) => {
    const fixture = runFixture([{ name: "a" }, { name: "b" }]);
    const closed: string[] = [];
    const { value, provider, attempts } = await fixture.limiter.stream("chat", async function* ({ provider }) {
      try {
        yield provider === "a" ? first : "fine";
      } finally {
        closed.push(provider);
      }
    });
    return { chunks: await chunksOf(value), provider, statuses: attempts.map(({ status }) => status), closed };
  };

  it.each([
    [{ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "overloaded"],
    [{ error: { code: 429, type: "rate_limit_exceeded" } }, "rate_limited"],
    [{ error: { type: "api_error" } }, "server_error"],
    [{ error: { code: "insufficient_quota" } }, "quota_exhausted"],
  ])("the error event %j makes the call fail over", async (event, status) => {
    expect(await streaming(event)).toEqual({
      chunks: ["fine"],
      provider: "b",
      statuses: [status, "success"],
      closed: ["a", "b"],
    });
  });

  it.each([
    [{ type: "message_start" }],
    [{ error: null, id: "1" }],
    [{ error: { code: "new_kind" } }],
    ["text"],
    [null],
  ])("%j is a chunk", async (chunk) => {
    expect(await streaming(chunk)).toMatchObject({ chunks: [chunk], provider: "a" });
  });
});

describe("the constructor", () => {
  it("rejects an unknown provider in a capability and names the nearest one; upsertCapability accepts it", () => {
    const make = () =>
      new GrateLimiter({ providers: [{ name: "openai" }], capabilities: { chat: ["opnai" as never] } });
    expect(make).toThrow(InvalidConfig);
    expect(make).toThrow('capabilities.chat[0]: unknown provider "opnai", did you mean "openai"?');
    const listed = () => new GrateLimiter({ capabilities: { chat: [{ provider: "x" as never }] } });
    expect(listed).toThrow('capabilities.chat[0]: unknown provider "x", declared: nothing');
    new GrateLimiter().upsertCapability({ name: "chat", providers: ["later" as never] });
  });
});
