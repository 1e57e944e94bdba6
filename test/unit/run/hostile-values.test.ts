// Values of callers and clients that throw while they are read, or that resemble values of this package.
import { describe, expect, it } from "vitest";
import { GrateLimiter, GrateLimiterError, type MapResult, NoAvailableProviders } from "../../../src/index.ts";
import { chatFixture } from "../../support/limiter-fixture.ts";

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const throwing = (): never => {
  throw new Error("hostile");
};
const HOSTILE: readonly (readonly [name: string, value: unknown])[] = [
  ["a revoked proxy", revoked()],
  [
    "a proxy whose traps throw",
    new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing, getPrototypeOf: throwing }),
  ],
  ["an object whose fields throw", Object.defineProperty({}, "status", { get: throwing, enumerable: true })],
  ["a symbol", Symbol("s")],
  ["a bigint", 5n],
  ["null", null],
  ["a function", () => {}],
  ["an array", [429]],
];

async function collect<Item, T>(results: AsyncIterable<MapResult<Item, T>>): Promise<MapResult<Item, T>[]> {
  const all: MapResult<Item, T>[] = [];
  for await (const result of results) all.push(result);
  return all;
}

describe("hostile values", () => {
  it.each(HOSTILE)("no method of a lease throws for %s, and the lease ends", (_, value) => {
    const fixture = chatFixture({ limits: { concurrency: 1, tpm: 1_000 } });
    for (const field of [(part: unknown) => part, (usage: unknown) => ({ usage }), (status: unknown) => ({ status })]) {
      const lease = fixture.grant();
      lease.report(value as never);
      lease.headersReceived();
      lease.settle(field(value) as never);
      lease.settle(value as never);
      lease.release();
      expect(lease.settled).toBe(true);
      fixture.clock.advanceMs(60_000);
      expect(fixture.counted("concurrency")).toBe(0);
    }
  });

  it("a status survives a usage that throws while it is read", () => {
    const fixture = chatFixture({ limits: { tpm: 1_000 } });
    fixture.grant().settle({ status: 429, usage: revoked() as never });
    expect(fixture.limiter.providerInCooldown("a")).toBe(true);
    expect(fixture.limiter.metrics.invalidUsages).toBe(1);
  });

  it.each(HOSTILE)("run and map hand out an error that is %s untouched", async (_, value) => {
    const { limiter } = chatFixture();
    const fail = () => Promise.reject(value);
    await limiter.run("chat", fail).then(
      () => expect.unreachable(),
      (error) => expect(Object.is(error, value)).toBe(true),
    );
    const results = await collect(limiter.map("chat", [1, 2], fail));
    expect(results.map((result) => !result.ok && Object.is(result.error, value))).toEqual([true, true]);
  });

  it("the `is` of every error is false for a hostile value", () => {
    for (const [, value] of HOSTILE) {
      expect(GrateLimiterError.is(value)).toBe(false);
      expect(NoAvailableProviders.is(value)).toBe(false);
    }
  });
});

describe("signals that cannot remove listeners", () => {
  class OddSignal {
    aborted = false;
    reason: unknown;
    readonly listeners: (() => void)[] = [];
    removeEventListener: unknown;

    constructor(removeEventListener: unknown) {
      this.removeEventListener = removeEventListener;
    }

    addEventListener(_: string, listener: () => void): void {
      this.listeners.push(listener);
    }

    abort(reason: unknown): void {
      this.aborted = true;
      this.reason = reason;
      for (const listener of this.listeners) listener();
    }
  }

  it.each([
    ["missing", undefined],
    ["broken", throwing],
  ])("calls work, and share one listener, if removeEventListener is %s", async (_, removeEventListener) => {
    const { limiter } = chatFixture({ limits: { concurrency: 1 } });
    const odd = new OddSignal(removeEventListener);
    const signal = odd as unknown as AbortSignal;
    for (let i = 0; i < 5; i++) expect((await limiter.run("chat", () => i, { signal })).value).toBe(i);
    expect(odd.listeners.length).toBe(1);
    const hanging = limiter.run("chat", () => new Promise(() => {}), { signal });
    const waiting = limiter.acquire("chat", { signal });
    odd.abort("left");
    await expect(hanging).rejects.toBe("left");
    await expect(waiting).rejects.toBe("left");
    expect(limiter.inspect().waiting).toEqual({});
  });
});

describe("errors of another limiter", () => {
  it("a task that uses another, closed limiter fails its item and not the batch", async () => {
    const { limiter } = chatFixture();
    const other = new GrateLimiter({ providers: [{ name: "b" }], capabilities: { chat: ["b"] } });
    other.close();
    const nested = async (item: number) => (item === 1 ? await other.run("chat", () => item) : null);
    const results = await collect(limiter.map("chat", [0, 1, 2], nested));
    expect(results.map(({ ok }) => ok).sort()).toEqual([false, true, true]);
  });

  it("a batch of a closed limiter ends with its own error", async () => {
    const { limiter } = chatFixture();
    const results = limiter.map("chat", [0, 1, 2, 3], () => limiter.close());
    await expect(collect(results)).rejects.toMatchObject({ code: "closed" });
  });

  it("the reason of an abort is the error of the call, also if it is an error of another limiter", async () => {
    const { limiter } = chatFixture({ limits: { concurrency: 1 } });
    const other = new GrateLimiter({ capabilities: { chat: [] } });
    const reason = await other.acquire("chat").catch((error: unknown) => error);
    const controller = new AbortController();
    const failing = limiter.run(
      "chat",
      () => {
        setTimeout(() => controller.abort(reason));
        throw Object.assign(new Error("503"), { status: 503 });
      },
      { signal: controller.signal },
    );
    await expect(failing).rejects.toBe(reason);
  });
});
