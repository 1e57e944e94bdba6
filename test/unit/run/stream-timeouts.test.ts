// The time-outs of a stream after its first chunk, and the classification of its end.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { StreamOptions } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  type RunFixture,
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

describe("time-outs and classification after the first chunk", () => {
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
    await readAll((await streamed(fixture, [source], { classify, tokens: 100 })).value);
    expect(judged).toEqual([source]);
    expect(judged[0]).toBe(source);
    expect(fixture.limiter.remainingQuota("a", "tokens")).toBe(970);
    const error = new Error("strange");
    const { value } = await streamed(fixture, [new Source(fixture, "x", error)], { classify, tokens: 100 });
    expect(await rejection(readAll(value))).toBe(error);
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
      expect(await rejection(readAll(value))).toBe(broken);
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
