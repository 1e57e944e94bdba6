// `stream` fails over until the first chunk.
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  expectIdle,
  HttpError,
  type RunFixture,
  refusalOf,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";
import { readAll, Source, streamed } from "../../support/stream-fixture.ts";

const unhandled = vi.fn();

process.on("unhandledRejection", unhandled);

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});

describe("a stream", () => {
  it("a stream resolves at its first chunk and yields all chunks", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const source = new Source(fixture, 700, "Hel", 300, "lo", "!");
    const opening = watch(streamed(fixture, [source]));
    await fixture.clock.advanceMsAsync(699);
    expect(opening.state).toBe("open");
    await fixture.clock.advanceMsAsync(1);
    const { value: stream, provider, attempts } = opening.value!;
    expect({ provider, attempts }).toMatchObject({ provider: "a", attempts: [{ status: "success", latencyMs: 700 }] });
    // No chunk is read before it is requested.
    expect(source.pulled).toBe(1);
    expect(settledStatuses(fixture)).toEqual([]);
    expect(fixture.limiter.remainingQuota("a", "concurrency")).toBe(0);
    const chunks = watch(readAll(stream));
    await fixture.clock.advanceMsAsync(1_000);
    expect(chunks.value).toEqual(["Hel", "lo", "!"]);
    expect(settledStatuses(fixture)).toEqual(["success"]);
    // The latency of the lease is the time until the first chunk.
    expect(fixture.limiter.inspect().providers[0]!.latencyMs).toBe(700);
    expect(source).toMatchObject({ returned: 0, signal: { aborted: false } });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expectIdle(fixture);
  });

  it("a task can return an iterable or a promise of one, and the iterable can be empty", async () => {
    const fixture = runFixture();
    async function* words() {
      yield "a";
      yield "b";
    }
    expect(await readAll((await fixture.limiter.stream("chat", () => words())).value)).toEqual(["a", "b"]);
    expect(await readAll((await fixture.limiter.stream("chat", async () => words())).value)).toEqual(["a", "b"]);
    const { value, attempts } = await streamed(fixture, [new Source(fixture)]);
    expect(attempts).toMatchObject([{ status: "success" }]);
    expect(settledStatuses(fixture)).toEqual(["success", "success", "success"]);
    expect(await value.next()).toEqual({ done: true, value: undefined });
    expect(await value.return!()).toEqual({ done: true, value: undefined });
    expectIdle(fixture);
  });

  it("several pending pulls are answered in order", async () => {
    const fixture = runFixture();
    const { value } = await streamed(fixture, [new Source(fixture, "a", "b", "c")]);
    const pulled = await Promise.all([value.next(), value.next(), value.next(), value.next(), value.next()]);
    expect(pulled.map(({ value }) => value)).toEqual(["a", "b", "c", undefined, undefined]);
    expect(value[Symbol.asyncIterator]()).toBe(value);
  });

  it("a stream counts from its first chunk", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }], { skewCapMs: 10_000 });
    const opening = watch(streamed(fixture, [new Source(fixture, 5_000, "x", 5_000, "y")]));
    await fixture.clock.advanceMsAsync(5_000);
    watch(readAll(opening.value!.value));
    await fixture.clock.advanceMsAsync(5_000);
    expect(settledStatuses(fixture)).toEqual(["success"]);
    await fixture.clock.advanceMsAsync(54_999);
    expect(fixture.limiter.remainingQuota("a", "requests")).toBe(0);
    await fixture.clock.advanceMsAsync(1);
    expect(fixture.limiter.remainingQuota("a", "requests")).toBe(1);
  });
});

describe("before the first chunk", () => {
  it.each<[string, (fixture: RunFixture) => unknown, string]>([
    ["a task that throws", () => new HttpError(503), "overloaded"],
    ["a source that throws", (fixture) => new Source(fixture, new HttpError(429)), "rate_limited"],
    ["a response that failed", () => new Response("no", { status: 500 }), "server_error"],
  ])("%s before the first chunk fails over", async (_, failure, status) => {
    const fixture = runFixture();
    const { value, provider, attempts } = await streamed(fixture, [failure(fixture), new Source(fixture, "served")]);
    expect(provider).toBe("b");
    expect(attempts.map((attempt) => attempt.status)).toEqual([status, "success"]);
    expect(await readAll(value)).toEqual(["served"]);
    expect(settledStatuses(fixture)).toEqual([status, "success"]);
    expectIdle(fixture);
  });

  it("an empty stream fails over if classify treats it as a failure", async () => {
    const fixture = runFixture();
    const [empty, full] = [new Source(fixture), new Source(fixture, "served")];
    const classify = (result: { ok: boolean; value?: unknown }) =>
      result.value === empty ? "server_error" : undefined;
    const { value, provider } = await streamed(fixture, [empty, full], { classify });
    expect(provider).toBe("b");
    expect(await readAll(value)).toEqual(["served"]);
    expect(settledStatuses(fixture)).toEqual(["server_error", "success"]);
  });

  it("a stream rejects if all attempts fail", async () => {
    const fixture = runFixture();
    const error = await refusalOf(streamed(fixture, [new Source(fixture, new HttpError(500))], { maxAttempts: 2 }));
    expect(error).toMatchObject({ kind: "attempts_failed", attempts: { length: 2 }, cause: { status: 500 } });
    expectIdle(fixture);
  });

  it.each<[string, unknown, unknown]>([
    ["a typo", new TypeError("no such client"), undefined],
    ["a client error", new HttpError(400), undefined],
    ["undefined", undefined, TypeError],
    ["a text", "no stream", TypeError],
    ["a list", ["a", "b"], TypeError],
    ["an answer", { text: "hi" }, TypeError],
    ["a response that is no stream", new Response("hi"), TypeError],
    ["a response that is a client error", new Response("hi", { status: 404 }), TypeError],
  ])("%s before the first chunk is an error of the caller", async (_, given, type) => {
    const fixture = runFixture();
    const error = await rejection(streamed(fixture, [given]));
    if (type === undefined) expect(error).toBe(given);
    else {
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).cause).toBe(given);
    }
    const status = (given as { status?: number } | undefined)?.status ?? 0;
    expect(settledStatuses(fixture)).toEqual([status >= 400 ? "client_error" : "cancelled"]);
    expect(fixture.limiter.providerHealth("a")).toBe(1);
    expectIdle(fixture);
  });

  it("an iterable can throw when its iterator is created, or return no result object", async () => {
    for (const broken of [
      {
        [Symbol.asyncIterator]() {
          throw new RangeError("broken");
        },
      },
      { [Symbol.asyncIterator]: () => ({ next: async () => undefined }) },
      { [Symbol.asyncIterator]: () => ({}) },
    ]) {
      const fixture = runFixture();
      expect(await rejection(streamed(fixture, [broken]))).toBeInstanceOf(Error);
      expect(settledStatuses(fixture)).toEqual(["cancelled"]);
      expectIdle(fixture);
    }
  });

  it("attemptTimeoutMs ends the attempt, and a source that comes too late is closed", async () => {
    const fixture = runFixture();
    const slow = new Source(fixture, 5_000, "too late");
    const opening = watch(
      streamed(fixture, [slow, new Source(fixture, 2_000, "x", 20_000, "y")], { attemptTimeoutMs: 3_000 }),
    );
    await fixture.clock.advanceMsAsync(5_000);
    expect(opening.value).toMatchObject({ provider: "b", attempts: [{ status: "timeout" }, { status: "success" }] });
    expect(slow).toMatchObject({ returned: 1, signal: { aborted: true } });
    // From the first chunk on the time-out does not apply.
    const chunks = watch(readAll(opening.value!.value));
    await fixture.clock.advanceMsAsync(60_000);
    expect(chunks.value).toEqual(["x", "y"]);
    expect(settledStatuses(fixture)).toEqual(["timeout", "success"]);
    expectIdle(fixture);
  });

  it("an abort rejects immediately with its reason", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const slow = new Source(fixture, 5_000, "too late");
    const opening = watch(streamed(fixture, [slow], { signal: controller.signal }));
    await fixture.clock.advanceMsAsync(100);
    controller.abort("gone");
    await fixture.clock.advanceMsAsync(0);
    expect(opening.error).toBe("gone");
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    await fixture.clock.advanceMsAsync(10_000);
    expect(slow).toMatchObject({ returned: 1, signal: { aborted: true, reason: "gone" } });
    expectIdle(fixture);
  });
});
