// The time-out of an attempt and the time-out of a call.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { TaskContext } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  never,
  refusalOf,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";
import { pendingTimers } from "../../support/timer-fixture.ts";

const unhandled = vi.fn();

process.on("unhandledRejection", unhandled);

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
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
    const call = watch(fixture.limiter.run("chat", task, { attemptTimeoutMs: 1_000, maxAttempts: 2 }));
    await fixture.clock.advanceMsAsync(2_600);
    expect(call.error).toMatchObject({ kind: "attempts_failed", cause: { name: "TimeoutError" } });
    expect(reasons).toMatchObject([{ name: "TimeoutError" }, { name: "TimeoutError" }]);
    expect(reasons[0]).toBeInstanceOf(Error);
    expect(settledStatuses(fixture)).toEqual(["timeout", "timeout"]);
    expectIdle(fixture);
  });

  it("a rejection after the time-out is handled", async () => {
    const fixture = runFixture();
    let rejectLate = (_: Error) => {};
    const task = ({ attempt }: TaskContext) =>
      attempt === 1
        ? new Promise((_, reject) => {
            rejectLate = reject;
          })
        : 1;
    const call = watch(fixture.limiter.run("chat", task, { attemptTimeoutMs: 100 }));
    await fixture.clock.advanceMsAsync(200);
    rejectLate(new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
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

  it("a time-out that is shorter than the provider usually takes is an attempt with status timeout, but no fault", async () => {
    const fixture = runFixture(["a"]);
    const { limiter, clock } = fixture;
    limiter.observe({ provider: "a", outcome: { status: "success", latencyMs: 500 } });
    for (const [attemptTimeoutMs, health] of [
      [499, 1],
      [500, 0.8],
    ] as const) {
      const refusal = refusalOf(limiter.run("chat", never, { attemptTimeoutMs, maxAttempts: 1 }));
      await clock.advanceMsAsync(attemptTimeoutMs);
      expect(await refusal).toMatchObject({ attempts: [{ status: "timeout" }] });
      expect(limiter.providerHealth("a")).toBe(health);
    }
    expect(settledStatuses(fixture)).toEqual(["cancelled", "timeout"]);
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

  it("a call fails immediately if its backoff outlasts timeoutMs", async () => {
    const fixture = runFixture(["a"], { random: () => 0.9 });
    const call = fixture.limiter.run("chat", () => Promise.reject(new HttpError(500)), { timeoutMs: 475 });
    expect(await refusalOf(call)).toMatchObject({
      kind: "attempts_failed",
      attempts: [{ status: "server_error" }],
      cause: { status: 500 },
    });
    expectIdle(fixture);
  });

  it("timeoutMs ends the wait for retry budget", async () => {
    const fixture = runFixture(["a"], { retryBudget: { ratio: 0, perMinute: 0 } });
    const call = watch(fixture.limiter.run("chat", () => Promise.reject(new HttpError(500)), { timeoutMs: 2_000 }));
    await fixture.clock.advanceMsAsync(1_999);
    expect(call.state).toBe("open");
    await fixture.clock.advanceMsAsync(1);
    expect(call.error).toMatchObject({ kind: "timed_out", attempts: { length: 1 }, cause: { status: 500 } });
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
