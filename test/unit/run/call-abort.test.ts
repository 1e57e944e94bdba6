// The abort signal of the caller, in every phase of a call.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { TaskContext } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  never,
  type RunFixture,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";
import { ABORT_REASON, pendingTimers } from "../../support/timer-fixture.ts";

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
      () => controller.abort(ABORT_REASON),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(call).toMatchObject({ state: "rejected" });
    expect(call.error).toBe(ABORT_REASON);
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
      controller.abort(ABORT_REASON);
      expect(await call).toBe(ABORT_REASON);
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
    controller.abort(ABORT_REASON);
    await Promise.allSettled([call, other]);
    for (const signal of [early!, late!.signal]) expect(signal).toMatchObject({ aborted: true, reason: ABORT_REASON });
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
    controller.abort(ABORT_REASON);
    await fixture.clock.advanceMsAsync(10);
    expect(call.error).toBe(ABORT_REASON);
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
    controller.abort(ABORT_REASON);
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
      controller.abort(ABORT_REASON);
      expect(await call).toBe(ABORT_REASON);
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

function deferred(): { promise: Promise<unknown>; reject: (error: unknown) => void } {
  let reject!: (error: unknown) => void;
  const promise = new Promise((_, no) => {
    reject = no;
  });
  return { promise, reject };
}
