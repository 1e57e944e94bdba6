// What becomes of values that arrive late, of secrets in errors, and of iterators that misbehave.

import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { GrateLimiter, type NoAvailableProviders } from "../../../src/index.ts";
import { chatFixture } from "../../support/limiter-fixture.ts";

const realLimiter = () => new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });

async function errorOf(call: PromiseLike<unknown>): Promise<unknown> {
  return await Promise.resolve(call).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

describe("errors for loggers", () => {
  const secret = "Bearer sk-secret";

  async function failure(): Promise<NoAvailableProviders> {
    const { limiter } = chatFixture();
    const error = Object.assign(new Error("busy"), { status: 401, config: { headers: { authorization: secret } } });
    return (await errorOf(limiter.run("chat", () => Promise.reject(error)))) as NoAvailableProviders;
  }

  it("no logger prints the headers of a client's error", async () => {
    const error = await failure();
    expect((error.cause as { config: object }).config).toBeDefined();
    expect((error.attempts[0]!.error as { config: object }).config).toBeDefined();
    expect(JSON.stringify([error, error.attempts])).not.toContain("secret");
    expect(JSON.stringify({ ...error })).not.toContain("secret");
    expect(JSON.stringify(structuredClone(error.attempts))).not.toContain("secret");
    expect(inspect(error)).not.toContain("secret");
  });

  it("toJSON has names, statuses and times", async () => {
    const error = await failure();
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: "NoAvailableProviders",
      code: "no_available_providers",
      kind: "attempts_failed",
      capability: "chat",
      retryAfterMs: error.retryAfterMs,
      retryAfterSeconds: error.retryAfterSeconds,
      reasons: error.reasons,
      attempts: [{ provider: "a", status: "unauthorized" }],
    });
  });
});

describe("late values", () => {
  const responseWith = (cancel: () => void) => ({ ok: true, status: 200, body: { cancel: async () => cancel() } });

  it("a response that arrives after its attempt is over is cancelled", async () => {
    const limiter = realLimiter();
    const cancel = vi.fn();
    let resolve!: (value: unknown) => void;
    const late = new Promise((settle) => {
      resolve = settle;
    });
    const task = () => late;
    await errorOf(limiter.run("chat", task, { timeoutMs: 2 }));
    expect(cancel).not.toHaveBeenCalled();
    resolve(responseWith(cancel));
    await vi.waitFor(() => expect(cancel).toHaveBeenCalledTimes(1));
  });

  it("a response is cancelled if the call was aborted, or its classifier throws", async () => {
    const { limiter } = chatFixture();
    const cancel = vi.fn();
    const controller = new AbortController();
    const abort = () => {
      controller.abort("left");
      return responseWith(cancel);
    };
    expect(await errorOf(limiter.run("chat", abort, { signal: controller.signal }))).toBe("left");
    await vi.waitFor(() => expect(cancel).toHaveBeenCalledTimes(1));
    const classify = () => {
      throw new RangeError("broken");
    };
    await errorOf(limiter.run("chat", () => responseWith(cancel), { classify }));
    await vi.waitFor(() => expect(cancel).toHaveBeenCalledTimes(2));
  });

  it("a response that is returned is not cancelled", async () => {
    const { limiter } = chatFixture();
    const cancel = vi.fn();
    await limiter.run("chat", () => responseWith(cancel), { timeoutMs: 1_000 });
    expect(cancel).not.toHaveBeenCalled();
  });
});

describe("iterators", () => {
  it("leaving a stream aborts the signal before the source is closed", async () => {
    const { limiter } = chatFixture();
    const order: string[] = [];
    const { value } = await limiter.stream("chat", ({ signal }) => {
      const abortable = signal as unknown as EventTarget;
      abortable.addEventListener("abort", () => order.push("aborted"));
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: 1 }),
          return: async () => {
            order.push("closed");
            // As the body of an aborted response does.
            throw Object.assign(new Error("aborted"), { name: "AbortError" });
          },
        }),
      };
    });
    for await (const _ of value) break;
    expect(order).toEqual(["aborted", "closed"]);
  });

  it("a return that never settles does not keep the lease", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    const { value } = await fixture.limiter.stream("chat", () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: 1 }),
        return: () => new Promise<never>(() => {}),
      }),
    }));
    void value.return!();
    fixture.clock.advanceMs(1_001);
    expect(fixture.hasCapacity()).toBe(true);
  });

  it.each([[null], [undefined], [5], ["done"]])("a result %s of an iterator is one clear TypeError", async (result) => {
    const message = /returned no result object/;
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    const results = [{ done: false, value: 1 }, result];
    const source = (from: unknown[]) => ({
      [Symbol.asyncIterator]: () => ({ next: async () => from.shift() as IteratorResult<number> }),
    });
    await expect(fixture.limiter.stream("chat", () => source([result]))).rejects.toThrow(message);
    fixture.clock.advanceMs(1_001);
    const { value } = await fixture.limiter.stream("chat", () => source([...results]));
    await value.next();
    const failed = value.next();
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(TypeError);
    fixture.clock.advanceMs(1_001);
    const items = fixture.limiter.map("chat", source([...results]), (item) => item);
    expect(await items.next()).toMatchObject({ value: { ok: true } });
    await expect(items.next()).rejects.toThrow(message);
    fixture.clock.advanceMs(1_001);
    expect(fixture.hasCapacity()).toBe(true);
  });
});

describe("maps", () => {
  it("maps that are dropped without return are collected, and leave no listener, despite a shared signal", async () => {
    setFlagsFromString("--expose_gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const limiter = realLimiter();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const maps: WeakRef<object>[] = [];
    const drop = async () => {
      const results = limiter.map("chat", [1, 2, 3, 4], (item) => item, { signal, concurrency: 2 });
      await results.next();
      maps.push(new WeakRef(results));
    };
    for (let i = 0; i < 20; i++) await drop();
    await vi.waitFor(
      () => {
        collectGarbage();
        expect(maps.filter((map) => map.deref() !== undefined)).toEqual([]);
        expect(removed.mock.calls.length).toBe(added.mock.calls.length);
      },
      { timeout: 20_000 },
    );
  });

  it("a map of synchronous tasks yields to the event loop every few milliseconds", async () => {
    const limiter = realLimiter();
    let longestMs = 0;
    let turnedAt = performance.now();
    let isOver = false;
    const turn = () => {
      longestMs = Math.max(longestMs, performance.now() - turnedAt);
      turnedAt = performance.now();
      if (!isOver) setImmediate(turn);
    };
    turn();
    const start = performance.now();
    let turns = 0;
    for await (const _ of limiter.map("chat", Array(20_000).keys(), (item) => item)) turns++;
    isOver = true;
    const tookMs = performance.now() - start;
    expect(turns).toBe(20_000);
    // A busy machine lengthens all steps alike.
    expect(longestMs).toBeLessThan(Math.max(50, tookMs / 4));
  });
});

describe("listeners", () => {
  it("a listener that raises its own event again is cut after 1,000 rounds, with one error event", () => {
    const { limiter } = chatFixture();
    let rounds = 0;
    const errors: unknown[] = [];
    limiter.on("listenerError", (event) => {
      errors.push(event);
      limiter.tryAcquire("chat");
    });
    limiter.on("leaseGranted", () => {
      rounds++;
      limiter.tryAcquire("chat");
    });
    limiter.tryAcquire("chat");
    expect(rounds).toBe(1_000);
    expect(errors).toEqual([{ event: "leaseGranted", error: expect.any(Error) }]);
    limiter.tryAcquire("chat");
    expect(rounds).toBe(2_000);
    expect(errors.length).toBe(2);
  });

  it("many events of one call are all delivered", () => {
    const { limiter } = chatFixture();
    let delivered = 0;
    const errors: unknown[] = [];
    limiter.on("listenerError", (event) => errors.push(event));
    limiter.on("leaseGranted", () => delivered++);
    const off = limiter.on("leaseGranted", () => {
      off();
      for (let i = 0; i < 5_000; i++) limiter.tryAcquire("chat");
    });
    limiter.tryAcquire("chat");
    expect(delivered).toBe(5_001);
    expect(errors).toEqual([]);
  });
});
