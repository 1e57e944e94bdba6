// `stream` fails over until the first chunk and never afterwards.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { StreamOptions, TaskContext } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  never,
  type RunFixture,
  refusalOf,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";

const unhandled = vi.fn();
process.on("unhandledRejection", unhandled);
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});

/** A source that yields the given items. An Error is thrown, a number waits that many ms, "hang" waits for ever. */
class Source implements AsyncIterable<string> {
  readonly #fixture: RunFixture;
  readonly #steps: readonly unknown[];
  returned = 0;
  pulled = 0;
  signal: AbortSignal | undefined;

  constructor(fixture: RunFixture, ...steps: readonly unknown[]) {
    this.#fixture = fixture;
    this.#steps = steps;
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    let place = 0;
    return {
      next: async () => {
        this.pulled++;
        while (typeof this.#steps[place] === "number") {
          const ms = this.#steps[place++] as number;
          await new Promise<void>(
            (resolve) => void this.#fixture.clock.wakeAt(this.#fixture.clock.now() + ms, resolve),
          );
        }
        const step = this.#steps[place++];
        if (step === "hang") await never();
        if (step instanceof Error) throw step;
        return step === undefined ? { done: true, value: undefined } : { done: false, value: step as string };
      },
      return: async () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A stream with one source per attempt. */
async function streamed(fixture: RunFixture, sources: readonly unknown[], options?: StreamOptions) {
  return fixture.limiter.stream(
    "chat",
    async ({ attempt, signal }: TaskContext) => {
      const source = sources[Math.min(attempt, sources.length) - 1];
      if (source instanceof Error) throw source;
      if (source instanceof Source) source.signal = signal;
      return source as AsyncIterable<string>;
    },
    options,
  );
}

async function all(stream: AsyncIterable<string>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

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
    const chunks = watch(all(stream));
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
    expect(await all((await fixture.limiter.stream("chat", () => words())).value)).toEqual(["a", "b"]);
    expect(await all((await fixture.limiter.stream("chat", async () => words())).value)).toEqual(["a", "b"]);
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
    watch(all(opening.value!.value));
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
    expect(await all(value)).toEqual(["served"]);
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
    expect(await all(value)).toEqual(["served"]);
    expect(settledStatuses(fixture)).toEqual(["server_error", "success"]);
  });

  it("a stream rejects if all attempts fail", async () => {
    const fixture = runFixture();
    const error = await refusalOf(streamed(fixture, [new Source(fixture, new HttpError(500))]));
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
    const chunks = watch(all(opening.value!.value));
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

describe("after the first chunk", () => {
  it.each<[string, Error, string]>([
    [
      "a reset connection",
      Object.assign(new TypeError("terminated"), { cause: { code: "ECONNRESET" } }),
      "server_error",
    ],
    ["an overload", new HttpError(529), "overloaded"],
    ["an unknown error", new SyntaxError("Unexpected token"), "cancelled"],
  ])("%s after the first chunk is thrown unchanged and observed", async (_, error, status) => {
    for (const chunks of [1, 3]) {
      const fixture = runFixture();
      const source = new Source(fixture, ...Array.from({ length: chunks }, () => "x"), error);
      const { value } = await streamed(fixture, [source]);
      for (let i = 0; i < chunks; i++) expect(await value.next()).toEqual({ done: false, value: "x" });
      expect(await rejection(value.next())).toBe(error);
      expect(settledStatuses(fixture)).toEqual([status]);
      expect(await value.next()).toEqual({ done: true, value: undefined });
      // A source that threw has ended.
      expect(source.returned).toBe(0);
      expect(fixture.limiter.metrics.failovers).toBe(0);
      expectIdle(fixture);
    }
  });

  it("a source with a `next` that throws synchronously ends the stream with that error", async () => {
    const fixture = runFixture();
    const error = new HttpError(500);
    let pulls = 0;
    const next = () => {
      if (pulls++ > 0) throw error;
      return { done: false, value: "x" };
    };
    const { value } = await streamed(fixture, [{ [Symbol.asyncIterator]: () => ({ next }) }]);
    await value.next();
    expect(await rejection(value.next())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["server_error"]);
  });

  it("leaving a stream early cancels its lease, closes its source, and aborts its request", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 5 } }]);
    const source = new Source(fixture, "x", "y", "z");
    const { value } = await streamed(fixture, [source]);
    for await (const chunk of value) if (chunk === "y") break;
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source).toMatchObject({ returned: 1, pulled: 2, signal: { aborted: true } });
    expect(await value.next()).toEqual({ done: true, value: undefined });
    expect(await value.return!("again")).toEqual({ done: true, value: "again" });
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("a stream can be left before its first chunk is read", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x");
    const { value } = await streamed(fixture, [source]);
    await value.return!();
    expect(await all(value)).toEqual([]);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("an error of the consumer closes the stream", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x", "y");
    const error = new Error("the consumer's");
    const consume = async () => {
      for await (const _ of (await streamed(fixture, [source])).value) throw error;
    };
    expect(await rejection(consume())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.returned).toBe(1);
  });

  it("a stream can be left while it waits for a chunk of a source that is busy", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x", "hang");
    async function* relay() {
      yield* source;
    }
    const { value } = await fixture.limiter.stream("chat", ({ signal }) => {
      source.signal = signal;
      return relay();
    });
    await value.next();
    const pull = watch(value.next());
    await fixture.clock.advanceMsAsync(0);
    const left = watch(value.return!());
    await fixture.clock.advanceMsAsync(0);
    expect(left.value).toEqual({ done: true, value: undefined });
    expect(pull.value).toEqual({ done: true, value: undefined });
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.signal!.aborted).toBe(true);
    expectIdle(fixture);
  });

  it("a stream can be left if its source has no `return`, or one that throws", async () => {
    const fixture = runFixture();
    const next = async () => ({ done: false, value: "x" });
    const bare = await streamed(fixture, [{ [Symbol.asyncIterator]: () => ({ next }) }]);
    await bare.value.return!();
    const error = new Error("cannot leave");
    const stubborn = {
      next,
      return() {
        throw error;
      },
    };
    const { value } = await streamed(fixture, [{ [Symbol.asyncIterator]: () => stubborn }]);
    expect(await rejection(value.return!())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["cancelled", "cancelled"]);
    expectIdle(fixture);
  });

  it("an abort during the wait for a chunk rejects the pull immediately", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const source = new Source(fixture, "x", "hang");
    const { value } = await streamed(fixture, [source], { signal: controller.signal });
    await value.next();
    const pulls = [watch(value.next()), watch(value.next())];
    await fixture.clock.advanceMsAsync(50);
    controller.abort("gone");
    await fixture.clock.advanceMsAsync(0);
    expect(pulls[0]).toMatchObject({ state: "rejected", error: "gone" });
    expect(pulls[1]).toMatchObject({ state: "resolved", value: { done: true } });
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source).toMatchObject({ returned: 1, signal: { aborted: true, reason: "gone" } });
    expectIdle(fixture);
  });

  it.each([0, 1, 2])(
    "an abort after %i pulled chunks, without a pending pull, frees the lease immediately, and the next pull throws",
    async (pulled) => {
      const fixture = runFixture();
      const controller = new AbortController();
      const source = new Source(fixture, "x", "y", "z");
      const { value } = await streamed(fixture, [source], { signal: controller.signal });
      for (let i = 0; i < pulled; i++) await value.next();
      controller.abort("gone");
      expect(settledStatuses(fixture)).toEqual(["cancelled"]);
      expect(source.returned).toBe(1);
      expect(await rejection(value.next())).toBe("gone");
      expect(await value.next()).toEqual({ done: true, value: undefined });
      expectIdle(fixture);
    },
  );

  it("leaving an aborted stream throws nothing", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const source = new Source(fixture, "x", "y");
    const { value } = await streamed(fixture, [source], { signal: controller.signal });
    controller.abort("gone");
    expect(await value.return!()).toEqual({ done: true, value: undefined });
    expect(await value.next()).toEqual({ done: true, value: undefined });
    expect(source.returned).toBe(1);
  });

  it.each(["ends", "throws", "is left", "is aborted"])(
    "a stream listens to the abort signal until it %s, and not longer",
    async (how) => {
      const fixture = runFixture();
      const controller = new AbortController();
      const added = vi.spyOn(controller.signal, "addEventListener");
      const removed = vi.spyOn(controller.signal, "removeEventListener");
      const listening = () => added.mock.calls.length - removed.mock.calls.length;
      const steps = how === "throws" ? ["x", new HttpError(500)] : ["x", "y"];
      const { value } = await streamed(fixture, [new Source(fixture, ...steps)], {
        signal: controller.signal,
        timeoutMs: 60_000,
      });
      expect(listening()).toBe(1);
      if (how === "is left") await value.return!();
      else if (how === "is aborted") controller.abort();
      else await all(value).catch(() => {});
      expect(listening()).toBe(0);
    },
  );

  it("chunkTimeoutMs ends a stalled stream and no other", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, 9_000, "x", 900, "y", 900, "z", 5_000, "never");
    const opening = watch(streamed(fixture, [source], { chunkTimeoutMs: 1_000 }));
    await fixture.clock.advanceMsAsync(9_000);
    const { value } = opening.value!;
    // A slow consumer is no stall.
    await fixture.clock.advanceMsAsync(60_000);
    const chunks: string[] = [];
    const consumed = watch(
      (async () => {
        for await (const chunk of value) chunks.push(chunk);
      })(),
    );
    await fixture.clock.advanceMsAsync(2_799);
    expect(consumed.state).toBe("open");
    await fixture.clock.advanceMsAsync(1);
    expect(consumed.error).toMatchObject({ name: "TimeoutError" });
    expect(chunks).toEqual(["x", "y", "z"]);
    expect(settledStatuses(fixture)).toEqual(["timeout"]);
    expect(source).toMatchObject({ returned: 1, signal: { aborted: true, reason: { name: "TimeoutError" } } });
    await fixture.clock.advanceMsAsync(60_000);
    expectIdle(fixture);
  });

  /** The pending timers of the limiter. */
  function outstandingOf({ clock }: RunFixture): ReadonlySet<() => void> {
    const outstanding = new Set<() => void>();
    const wakeAt = clock.wakeAt.bind(clock);
    clock.wakeAt = (atMs, wake) => {
      const cancel = wakeAt(atMs, wake);
      outstanding.add(cancel);
      return () => {
        outstanding.delete(cancel);
        cancel();
      };
    };
    return outstanding;
  }

  it("the timer of the attempt is cancelled after the first chunk", async () => {
    const fixture = runFixture();
    const outstanding = outstandingOf(fixture);
    const { value } = await fixture.limiter.stream(
      "chat",
      async () =>
        (async function* () {
          yield 1;
        })(),
      {
        attemptTimeoutMs: 60_000,
      },
    );
    expect(outstanding.size).toBe(0);
    await value.return!();
  });

  it("a stream throws if classify returns a promise, and the rejection of that promise is handled", async () => {
    const fixture = runFixture();
    const classify = (async () => {
      throw new Error("ignored");
    }) as never;
    const error = await rejection(fixture.limiter.run("chat", () => 1, { classify }));
    expect(error).toBeInstanceOf(TypeError);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
  });

  it.each(["return", "abort"])("no timer remains if a pull was pending: %s", async (how) => {
    const fixture = runFixture();
    const outstanding = outstandingOf(fixture);
    const controller = new AbortController();
    const { value } = await streamed(fixture, [new Source(fixture, "x", "hang")], {
      chunkTimeoutMs: 60_000,
      signal: controller.signal,
    });
    await value.next();
    const pull = watch(value.next());
    await fixture.clock.advanceMsAsync(1);
    expect(outstanding.size).toBe(1);
    if (how === "return") await value.return!();
    else controller.abort();
    await fixture.clock.advanceMsAsync(1);
    expect(pull.state).not.toBe("open");
    expect(outstanding.size).toBe(0);
  });

  it("leaving a stream during a pull does not throw the later error of its source", async () => {
    const fixture = runFixture();
    async function* chunks() {
      try {
        yield "x";
        await new Promise<void>((resolve) => void fixture.clock.wakeAt(fixture.clock.now() + 20, resolve));
        yield "y";
      } finally {
        throwLater();
      }
    }
    const throwLater = () => {
      throw new Error("in finally");
    };
    const { value } = await fixture.limiter.stream("chat", chunks);
    await value.next();
    const pull = watch(value.next());
    await fixture.clock.advanceMsAsync(1);
    expect(await value.return!()).toEqual({ done: true, value: undefined });
    // The check for unhandled rejections (above) finds none.
    await fixture.clock.advanceMsAsync(100);
    expect(pull.state).toBe("resolved");
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
  });

  it("an attempt that was given up does not start its stream", async () => {
    const fixture = runFixture();
    let begun = 0;
    async function* chunks() {
      begun++;
      yield "x";
    }
    const opening = watch(
      fixture.limiter.stream(
        "chat",
        async ({ attempt }) => {
          if (attempt === 1) {
            await new Promise<void>((resolve) => void fixture.clock.wakeAt(fixture.clock.now() + 5_000, resolve));
          }
          return chunks();
        },
        { attemptTimeoutMs: 1_000 },
      ),
    );
    await fixture.clock.advanceMsAsync(10_000);
    expect(opening.value?.attempts.map(({ status }) => status)).toEqual(["timeout", "success"]);
    expect(begun).toBe(1);
    await opening.value!.value.return!();
  });

  it("timeoutMs limits the whole stream, and does not count as a failure of a flowing stream", async () => {
    for (const isPulled of [true, false]) {
      const fixture = runFixture();
      const source = new Source(fixture, "a", 400, "b", 400, "c", 400, "d");
      const { value } = await streamed(fixture, [source], { timeoutMs: 1_000 });
      const chunks: string[] = [];
      const consume = async () => {
        for await (const chunk of value) chunks.push(chunk);
      };
      const consumed = isPulled ? watch(consume()) : null;
      await fixture.clock.advanceMsAsync(5_000);
      expect((consumed ?? watch(consume())).state).toBe(isPulled ? "rejected" : "open");
      if (consumed !== null) expect(consumed.error).toMatchObject({ name: "TimeoutError" });
      expect(chunks).toEqual(isPulled ? ["a", "b", "c"] : []);
      expect(settledStatuses(fixture)).toEqual(["cancelled"]);
      expect(source.returned).toBe(1);
      expectIdle(fixture);
    }
  });

  it("classify receives the iterable of the task at the end of the stream, and an error", async () => {
    const fixture = runFixture([{ name: "a", limits: { tpm: 1_000 } }]);
    const source = new Source(fixture, "x", "y");
    const judged: unknown[] = [];
    const classify: StreamOptions["classify"] = (result) => {
      judged.push(result.ok ? result.value : result.error);
      return result.ok ? { usage: { tokens: 30 } } : 503;
    };
    await all((await streamed(fixture, [source], { classify, tokens: 100 })).value);
    expect(judged).toEqual([source]);
    expect(judged[0]).toBe(source);
    expect(fixture.limiter.remainingQuota("a", "tokens")).toBe(970);
    const error = new Error("strange");
    const { value } = await streamed(fixture, [new Source(fixture, "x", error)], { classify, tokens: 100 });
    expect(await rejection(all(value))).toBe(error);
    expect(judged[1]).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["success", "overloaded"]);
  });

  it("an error thrown by classify ends the lease and is thrown", async () => {
    for (const steps of [["x"], ["x", new HttpError(500)]]) {
      const fixture = runFixture();
      const broken = new Error("typo in classify");
      const classify = () => {
        throw broken;
      };
      const { value } = await streamed(fixture, [new Source(fixture, ...steps)], { classify });
      expect(await rejection(all(value))).toBe(broken);
      expect(settledStatuses(fixture)).toEqual(["cancelled"]);
      expectIdle(fixture);
    }
  });

  it("a stream that is never read expires with its lease", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    await streamed(fixture, [new Source(fixture, "x")], { leaseTimeoutMs: 30_000 });
    expect(fixture.limiter.remainingQuota("a", "concurrency")).toBe(0);
    fixture.clock.advanceMs(31_000);
    expect(fixture.limiter.remainingQuota("a", "concurrency")).toBe(1);
    expect(fixture.limiter.metrics.leasesExpired).toBe(1);
  });
});
