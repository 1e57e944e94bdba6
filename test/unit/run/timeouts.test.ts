// The events that end a call before its task: the abort signal of the caller, the time-out of an attempt, the time-out
// of the call.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { TaskContext } from "../../../src/index.ts";
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

/** A signal that counts its listeners. */
function countedSignal() {
  const controller = new AbortController();
  const added = vi.spyOn(controller.signal, "addEventListener");
  const removed = vi.spyOn(controller.signal, "removeEventListener");
  return { controller, signal: controller.signal, added, removed };
}

const reason = new Error("the user went away");

describe("the abort signal of the caller", () => {
  it.each<
    [
      string,
      (
        fixture: RunFixture,
        run: (task: (context: TaskContext) => unknown) => void,
        abort: () => void,
      ) => Promise<void> | void,
      number,
    ]
  >([
    [
      "before the call",
      (_, run, abort) => {
        abort();
        run(() => expect.unreachable());
      },
      0,
    ],
    [
      "right after the call, before the task",
      (_, run, abort) => {
        run(() => expect.unreachable());
        abort();
      },
      0,
    ],
    [
      "during the wait for capacity",
      async ({ limiter, clock }, run, abort) => {
        const holder = limiter.tryAcquire("chat", { requests: 10 });
        if (holder.granted) holder.settle();
        run(() => expect.unreachable());
        await clock.advanceMsAsync(100);
        abort();
      },
      0,
    ],
    [
      "while the task runs and listens",
      async ({ clock }, run, abort) => {
        run(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
        await clock.advanceMsAsync(100);
        abort();
      },
      1,
    ],
    [
      "while the task runs and does not listen",
      async ({ clock }, run, abort) => {
        run(never);
        await clock.advanceMsAsync(100);
        abort();
      },
      1,
    ],
    [
      "by the task itself, which then throws",
      (_, run, abort) =>
        run(() => {
          abort();
          throw new HttpError(500);
        }),
      1,
    ],
    [
      "by the task itself, which then returns",
      (_, run, abort) =>
        run(() => {
          abort();
          return "fine";
        }),
      1,
    ],
    [
      "during backoff",
      async ({ clock }, run, abort) => {
        run(() => Promise.reject(new HttpError(500)));
        await clock.advanceMsAsync(100);
        abort();
      },
      1,
    ],
    [
      "during the wait for capacity before a retry",
      async ({ clock }, run, abort) => {
        run(() => Promise.reject(new HttpError(429, { "retry-after": "30" })));
        await clock.advanceMsAsync(1_000);
        abort();
      },
      1,
    ],
  ])("an abort %s rejects immediately with its reason and leaves nothing behind", async (_, scene, called) => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 10 } }], { random: () => 0.9 });
    const { controller, signal, added, removed } = countedSignal();
    const calls = vi.fn();
    let call = watch<unknown>(never());
    await scene(
      fixture,
      (task) => {
        const counted = (context: TaskContext) => {
          calls();
          return task(context);
        };
        call = watch(fixture.limiter.run("chat", counted, { signal }));
      },
      () => controller.abort(reason),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(call).toMatchObject({ state: "rejected" });
    expect(call.error).toBe(reason);
    expect(calls).toHaveBeenCalledTimes(called);
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
    const [first] = settledStatuses(fixture);
    if (called > 0) expect(["cancelled", "server_error", "rate_limited"]).toContain(first);
    fixture.clock.advanceMs(120_000);
    expectIdle(fixture);
  });

  it("an abort rejects in any microtask of the call", async () => {
    for (let turns = 0; turns < 20; turns++) {
      const fixture = runFixture();
      const controller = new AbortController();
      const call = rejection(fixture.limiter.run("chat", never, { signal: controller.signal }));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      controller.abort(reason);
      expect(await call).toBe(reason);
      expectIdle(fixture);
    }
  });

  it("an abort aborts the signal of the attempt with the same reason, whenever that signal is read", async () => {
    const { limiter } = runFixture();
    const controller = new AbortController();
    let late: TaskContext | undefined;
    let early: AbortSignal | undefined;
    const call = limiter.run(
      "chat",
      (context) => {
        late = context;
        return never();
      },
      { signal: controller.signal },
    );
    const other = limiter.run(
      "chat",
      ({ signal }) => {
        early = signal;
        return never();
      },
      { signal: controller.signal },
    );
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    await Promise.allSettled([call, other]);
    for (const signal of [early!, late!.signal]) expect(signal).toMatchObject({ aborted: true, reason });
    expect(early).not.toBe(controller.signal);
  });

  it("an abort takes precedence over the error of the aborted request, also if the task uses the signal directly", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const call = watch(
      fixture.limiter.run(
        "chat",
        () => {
          const { promise, reject } = deferred();
          controller.signal.addEventListener("abort", () => reject(new HttpError(500)));
          return promise;
        },
        { signal: controller.signal },
      ),
    );
    await fixture.clock.advanceMsAsync(10);
    controller.abort(reason);
    await fixture.clock.advanceMsAsync(10);
    expect(call.error).toBe(reason);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(fixture.limiter.providerHealth("a")).toBe(1);
  });

  it("calls that share a signal use one listener, and none after they have ended", async () => {
    const fixture = runFixture();
    const { controller, signal, added, removed } = countedSignal();
    const ends: (() => void)[] = [];
    const calls = Array.from({ length: 50 }, () =>
      fixture.limiter.run("chat", () => new Promise<void>((resolve) => ends.push(resolve)), { signal }),
    );
    await fixture.clock.advanceMsAsync(1);
    expect(added.mock.calls.length - removed.mock.calls.length).toBe(1);
    for (const end of ends) end();
    await Promise.all(calls);
    expect(added.mock.calls.length).toBe(removed.mock.calls.length);
    controller.abort(reason);
    expectIdle(fixture);
  });

  it("an abort cancels the timer that the call was waiting for", async () => {
    for (const task of [never, () => Promise.reject(new HttpError(500))]) {
      const fixture = runFixture(["a"], { random: () => 0.9 });
      const pending = pendingTimers(fixture);
      const controller = new AbortController();
      const call = rejection(fixture.limiter.run("chat", task, { signal: controller.signal, timeoutMs: 60_000 }));
      await fixture.clock.advanceMsAsync(10);
      expect(pending()).toBe(1);
      controller.abort(reason);
      expect(await call).toBe(reason);
      expect(pending()).toBe(0);
    }
  });

  it("an abort with undefined as its reason still rejects with the reason", async () => {
    const { limiter } = runFixture();
    const controller = new AbortController();
    const call = rejection(limiter.run("chat", never, { signal: controller.signal }));
    controller.abort();
    expect(await call).toBe(controller.signal.reason);
  });
});

describe("attemptTimeoutMs", () => {
  it("a call fails over from a task that ignores its signal, and ignores its later result", async () => {
    const fixture = runFixture();
    const late: ((value: string) => void)[] = [];
    const call = watch(
      fixture.limiter.run(
        "chat",
        ({ attempt }) => (attempt === 1 ? new Promise((resolve) => late.push(resolve)) : "in time"),
        { attemptTimeoutMs: 3_000 },
      ),
    );
    await fixture.clock.advanceMsAsync(2_999);
    expect(call.state).toBe("open");
    await fixture.clock.advanceMsAsync(1);
    expect(call.value).toMatchObject({ value: "in time", provider: "b" });
    expect(call.value!.attempts).toMatchObject([
      { provider: "a", status: "timeout", latencyMs: 3_000, error: { name: "TimeoutError" } },
      { provider: "b", status: "success" },
    ]);
    late[0]!("too late");
    await fixture.clock.advanceMsAsync(10);
    expect(call.value!.value).toBe("in time");
    expect(settledStatuses(fixture)).toEqual(["timeout", "success"]);
    expectIdle(fixture);
  });

  it("attemptTimeoutMs aborts the signal of the attempt with a TimeoutError, and a later error of the task is ignored", async () => {
    const fixture = runFixture();
    const reasons: unknown[] = [];
    const task = ({ signal }: TaskContext) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reasons.push(signal.reason);
          reject(new HttpError(400));
        });
      });
    const call = watch(fixture.limiter.run("chat", task, { attemptTimeoutMs: 100 }));
    await fixture.clock.advanceMsAsync(200);
    expect(call.error).toMatchObject({ kind: "attempts_failed", cause: { name: "TimeoutError" } });
    expect(reasons).toMatchObject([{ name: "TimeoutError" }, { name: "TimeoutError" }]);
    expect(reasons[0]).toBeInstanceOf(Error);
    expect(settledStatuses(fixture)).toEqual(["timeout", "timeout"]);
    expectIdle(fixture);
  });

  it("a rejection after the time-out is handled", async () => {
    const fixture = runFixture();
    const task = ({ attempt }: TaskContext) =>
      attempt === 1 ? new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 1)) : 1;
    const call = watch(fixture.limiter.run("chat", task, { attemptTimeoutMs: 100 }));
    await fixture.clock.advanceMsAsync(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(call.state).toBe("resolved");
  });

  it("attemptTimeoutMs does not affect a completed task and leaves no timer", async () => {
    const fixture = runFixture();
    const pending = pendingTimers(fixture);
    await fixture.limiter.run("chat", () => 1, { attemptTimeoutMs: 3_000 });
    expect(pending()).toBe(0);
    await rejection(fixture.limiter.run("chat", () => Promise.reject(new Error("x")), { attemptTimeoutMs: 3_000 }));
    expect(pending()).toBe(0);
    await fixture.clock.advanceMsAsync(5_000);
    expect(settledStatuses(fixture)).toEqual(["success", "cancelled"]);
  });

  it("attemptTimeoutMs does not include the wait for capacity", async () => {
    const fixture = runFixture([{ name: "a", limits: { rps: 1 } }]);
    await fixture.limiter.run("chat", () => 1);
    const call = watch(fixture.limiter.run("chat", () => 2, { attemptTimeoutMs: 10 }));
    await fixture.clock.advanceMsAsync(2_000);
    expect(call.value?.value).toBe(2);
  });

  it("attemptTimeoutMs works in real time with the real clock", async () => {
    const { GrateLimiter } = await import("../../../src/index.ts");
    const limiter = new GrateLimiter({ providers: [{ name: "a" }, { name: "b" }], capabilities: { chat: ["a", "b"] } });
    const { attempts } = await limiter.run("chat", ({ attempt }) => (attempt === 1 ? never() : 1), {
      attemptTimeoutMs: 20,
    });
    expect(attempts[0]!.latencyMs).toBeGreaterThanOrEqual(20);
    expect(attempts[0]!.latencyMs).toBeLessThan(2_000);
  });
});

describe("timeoutMs", () => {
  it("timeoutMs ends a running task, and the error lists the attempts", async () => {
    const fixture = runFixture();
    const signals: AbortSignal[] = [];
    const call = watch(
      fixture.limiter.run(
        "chat",
        ({ signal }) => {
          signals.push(signal);
          return never();
        },
        { timeoutMs: 5_000 },
      ),
    );
    await fixture.clock.advanceMsAsync(5_000);
    expect(call.error).toMatchObject({
      code: "no_available_providers",
      kind: "timed_out",
      attempts: [{ provider: "a", status: "timeout", latencyMs: 5_000 }],
      cause: { name: "TimeoutError" },
    });
    expect(signals[0]).toMatchObject({ aborted: true, reason: { name: "TimeoutError" } });
    expect(settledStatuses(fixture)).toEqual(["timeout"]);
    expectIdle(fixture);
  });

  it("timeoutMs ends the wait for capacity, and no attempt is listed", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const first = watch(fixture.limiter.run("chat", never, { timeoutMs: 60_000 }));
    const call = watch(fixture.limiter.run("chat", () => expect.unreachable(), { timeoutMs: 2_000 }));
    await fixture.clock.advanceMsAsync(2_000);
    expect(call.error).toMatchObject({ kind: "timed_out", attempts: [] });
    expect((call.error as Error).cause).toBeUndefined();
    await fixture.clock.advanceMsAsync(60_000);
    expect(first.error).toMatchObject({ kind: "timed_out", attempts: [{ status: "timeout" }] });
    expectIdle(fixture);
  });

  it("a call fails immediately if no capacity can come before timeoutMs", async () => {
    const { limiter } = runFixture([{ name: "a", limits: { rpm: 1 } }]);
    await limiter.run("chat", () => 1);
    const error = await refusalOf(limiter.run("chat", () => expect.unreachable(), { timeoutMs: 2_000 }));
    expect(error).toMatchObject({ kind: "refused", attempts: [], retryAfterMs: 60_000 });
  });

  it("a retry fails immediately if no capacity can come in the remaining time", async () => {
    const fixture = runFixture(["a"]);
    const task = () => {
      fixture.clock.advanceMs(3_000);
      throw new HttpError(429, { "retry-after": "3" });
    };
    const error = await refusalOf(fixture.limiter.run("chat", task, { timeoutMs: 5_000 }));
    expect(error).toMatchObject({ kind: "attempts_failed", retryAfterMs: 3_000, attempts: { length: 1 } });
    expect(fixture.clock.now()).toBe(4_000);
  });

  it("timeoutMs ends the backoff before the next attempt", async () => {
    const fixture = runFixture(["a"], { random: () => 0.9 });
    const call = watch(fixture.limiter.run("chat", () => Promise.reject(new HttpError(500)), { timeoutMs: 200 }));
    await fixture.clock.advanceMsAsync(199);
    expect(call.state).toBe("open");
    await fixture.clock.advanceMsAsync(1);
    expect(call.error).toMatchObject({
      kind: "timed_out",
      attempts: [{ status: "server_error" }],
      cause: { status: 500 },
    });
    expectIdle(fixture);
  });

  it("timeoutMs limits several attempts together", async () => {
    const fixture = runFixture(["a", "b", "c"]);
    const call = watch(fixture.limiter.run("chat", never, { timeoutMs: 2_500, attemptTimeoutMs: 1_000 }));
    await fixture.clock.advanceMsAsync(2_500);
    expect(call.error).toMatchObject({ kind: "timed_out", attempts: { length: 3 } });
    // The last attempt had a fifth of the time, so its time-out is not observed as a failure.
    expect(settledStatuses(fixture)).toEqual(["timeout", "timeout", "cancelled"]);
    expectIdle(fixture);
  });

  it("timeoutMs has passed if the last attempt fails after it", async () => {
    const fixture = runFixture(["a", "b"]);
    const task = () => {
      fixture.clock.advanceMs(1_000);
      throw new HttpError(500);
    };
    const error = await refusalOf(fixture.limiter.run("chat", task, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ kind: "timed_out", cause: { name: "TimeoutError" } });
  });

  it("timeoutMs leaves no timer behind", async () => {
    const fixture = runFixture();
    const pending = pendingTimers(fixture);
    await fixture.limiter.run("chat", () => 1, { timeoutMs: 3_000 });
    expect(pending()).toBe(0);
  });
});

/** The number of timers that were requested from the clock and neither fired nor cancelled. */
function pendingTimers({ clock }: RunFixture): () => number {
  let pending = 0;
  const { wakeAt } = clock;
  vi.spyOn(clock, "wakeAt").mockImplementation((atMs, wake) => {
    let isPending = true;
    const end = () => {
      pending -= Number(isPending);
      isPending = false;
    };
    pending++;
    const cancel = wakeAt.call(clock, atMs, () => {
      end();
      wake();
    });
    return () => {
      end();
      cancel();
    };
  });
  return () => pending;
}

function deferred(): { promise: Promise<unknown>; reject: (error: unknown) => void } {
  let reject!: (error: unknown) => void;
  const promise = new Promise((_, no) => {
    reject = no;
  });
  return { promise, reject };
}
