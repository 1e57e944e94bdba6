// How work grows with the number of things of one kind: `scaling`. The setup names a series and n. One operation is one whole
// piece of work of that series, for all n things unless its name says otherwise.
import { GrateLimiter, MockClock, type ProviderConfig } from "grate-limiter";
import { answerLines, type Operations } from "./answer-lines.ts";

export interface ScalingSetup {
  readonly series: string;
  readonly n: number;
}

type Piece = () => number | Promise<number>;

const UNLIMITED = 1e12;
const WIDE = { rpm: UNLIMITED, tpm: UNLIMITED };
// No two neighbours are equal, and no demand covers all earlier ones.
const tokensOf = (i: number): number => 50 + ((i * 7_919) % 101);

function limiterOf(
  providers: readonly ProviderConfig[],
  capabilities: readonly string[] = ["c"],
  pools: { [name: string]: { limits: typeof WIDE } } = {},
): [GrateLimiter<string>, MockClock] {
  const clock = new MockClock();
  const names = providers.map(({ name }) => name);
  const limiter = new GrateLimiter<string>({
    clock,
    providers,
    pools,
    capabilities: Object.fromEntries(capabilities.map((capability) => [capability, names])),
    maxWaiting: UNLIMITED,
  });
  return [limiter, clock];
}

function named(n: number, config: Omit<ProviderConfig, "name">): ProviderConfig[] {
  return Array.from({ length: n }, (_, i) => ({ name: `p${i}`, ...config }));
}

function decide(limiter: GrateLimiter<string>, capability: string): number {
  const { provider, score, alternatives } = limiter.select(capability);
  let check = score;
  for (const other of alternatives) check += other.score + other.provider.length;
  limiter.observe({ provider, capability, usage: { tokens: 100 }, outcome: { status: "success", latencyMs: 50 } });
  return check;
}

/** All n calls of `acquire` wait for the one place of a provider, and get it in turn. */
function waiters(n: number, acquire: (limiter: GrateLimiter<string>, i: number) => PromiseLike<AnyLease>): Piece {
  const capabilities = Array.from({ length: n }, (_, i) => `c${i}`);
  const [limiter] = limiterOf([{ name: "a", limits: { ...WIDE, concurrency: 1 } }], capabilities);
  return async () => {
    let check = 0;
    const waiting = Array.from({ length: n }, (_, i) => acquire(limiter, i));
    for (const each of waiting) {
      const lease = await each;
      lease.settle({ status: "success", usage: { tokens: 100 }, latencyMs: 50 });
      check += lease.provider.length;
    }
    return check;
  };
}

interface AnyLease {
  readonly provider: string;
  settle(settlement: { status: "success"; usage: { tokens: number }; latencyMs: number }): void;
}

/** All n items compete for 8 places; `tokens` undefined: nothing is stated. */
function mapped(n: number, needs?: (item: number) => { tokens: number }): Piece {
  const [limiter] = limiterOf([{ name: "a", limits: { ...WIDE, concurrency: 8 } }]);
  const items = Array.from({ length: n }, (_, i) => i);
  return async () => {
    let check = 0;
    const options = needs === undefined ? {} : { needs };
    for await (const result of limiter.map("c", items, async (item) => item, options)) if (result.ok) check += 1;
    if (check !== n) throw new Error(`map: ${check} of ${n} items succeeded`);
    return check;
  };
}

const series: { readonly [name: string]: (n: number) => Piece } = {
  "waiters of one priority": (n) => waiters(n, (limiter) => limiter.acquire("c0")),

  "waiters of one priority with different demands": (n) =>
    waiters(n, (limiter, i) => limiter.acquire("c0", { tokens: tokensOf(i) })),

  "waiters of one priority for tokens": (n) => {
    const [limiter, clock] = limiterOf([{ name: "a", limits: { tpm: 1e6 } }]);
    return async () => {
      let check = 0;
      limiter.observe({ provider: "a", usage: { tokens: 1e6 }, outcome: { status: "success" } });
      const waiting = Array.from({ length: n }, async (_, i) => {
        const lease = await limiter.acquire("c", { tokens: tokensOf(i), maxWaitMs: Infinity });
        lease.settle({ status: "success", usage: { tokens: tokensOf(i) }, latencyMs: 50 });
        check += lease.provider.length;
      });
      // The first minute ends the wait. The second one empties the window for the next repetition.
      await clock.advanceMsAsync(61_000);
      await Promise.all(waiting);
      await clock.advanceMsAsync(61_000);
      return check;
    };
  },

  "capabilities with one waiter each, one provider": (n) => waiters(n, (limiter, i) => limiter.acquire(`c${i}`)),

  "capabilities with the same 8 providers": (n) => {
    const capabilities = Array.from({ length: n }, (_, i) => `c${i}`);
    const [limiter, clock] = limiterOf(named(8, { limits: WIDE }), capabilities);
    return () => {
      let check = 0;
      for (const capability of capabilities) {
        clock.advanceMs(0.01);
        check += decide(limiter, capability);
      }
      return check;
    };
  },

  "map items": (n) => mapped(n),
  "map items with different demands": (n) => mapped(n, (item) => ({ tokens: tokensOf(item) })),

  "pool members (one decision)": (n) => {
    const [limiter, clock] = limiterOf(named(n, { pools: ["all"] }), ["c"], { all: { limits: WIDE } });
    return () => {
      clock.advanceMs(0.01);
      return decide(limiter, "c");
    };
  },

  "event listeners": (n) => {
    const [limiter] = limiterOf([{ name: "a", limits: WIDE }]);
    return () => {
      let check = 0;
      const removals = Array.from({ length: n }, () =>
        limiter.on("leaseSettled", ({ latencyMs }) => {
          check += latencyMs;
        }),
      );
      const lease = limiter.tryAcquire("c");
      if (lease.granted) lease.settle({ status: "success", usage: { tokens: 100 }, latencyMs: 50 });
      for (const remove of removals) remove();
      if (check !== 50 * n) throw new Error("a listener was not called");
      return check;
    };
  },

  "open leases (one refused acquire)": (n) => {
    const [limiter] = limiterOf([{ name: "a", limits: { rpm: n, tpm: UNLIMITED } }]);
    for (let i = 0; i < n; i++) {
      const lease = limiter.tryAcquire("c", { tokens: 100 });
      if (!lease.granted) throw new Error("tryAcquire was refused");
      // After this, the end of the lease gives no request back, and `acquire` has nothing to wait for.
      lease.headersReceived();
    }
    return async () => {
      try {
        await limiter.acquire("c", { tokens: 100, maxWaitMs: 1_000 });
      } catch {
        return 1;
      }
      throw new Error("acquire was granted");
    };
  },
};

await answerLines(({ series: name, n }: ScalingSetup): Operations => {
  const piece = series[name]!(n);
  return async (count) => {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const done = piece();
      check += typeof done === "number" ? done : await done;
    }
    return check;
  };
});
