// One wrong report of usage, of any size, and how long it lowers the number of requests that are granted.
import { describe, expect, it } from "vitest";
import type { Lease, ProviderConfig, Usage } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const EVERY_MS = 300;
const LATENCY_MS = 1_000;
const WINDOW_MS = 60_000;

/** Calls at 200 a minute that settle after a second with about 400 tokens. */
class SteadyCaller {
  readonly fixture: LimiterFixture;
  readonly #needs: Usage & { maxOutputTokens?: number };
  readonly #random = seededRandom(1);
  readonly #open: { readonly lease: Lease; readonly endsAt: number }[] = [];
  served = 0;

  constructor(provider: Partial<ProviderConfig>, needs: Usage) {
    this.fixture = chatFixture(provider);
    this.#needs = needs;
  }

  /** Returns the number of requests that are served meanwhile. `last`: ends the last one in its own way. */
  call(untilMs: number, last?: (lease: Lease) => void): number {
    const { clock, limiter } = this.fixture;
    const before = this.served;
    const end = clock.now() + untilMs;
    while (clock.now() < end) {
      const answer = limiter.tryAcquire("chat", this.#needs);
      if (answer.granted) this.#open.push({ lease: answer, endsAt: clock.now() + LATENCY_MS });
      clock.advanceMs(EVERY_MS);
      while (this.#open[0] !== undefined && this.#open[0].endsAt <= clock.now()) this.#end();
    }
    if (last !== undefined) last(this.fixture.grant(this.#needs));
    return this.served - before;
  }

  #end(): void {
    const outputTokens = Math.round(100 + 200 * this.#random());
    this.#open.shift()!.lease.settle({ usage: { inputTokens: 200, outputTokens } });
    this.served++;
  }
}

const WAYS: readonly [name: string, send: (usage: Usage, lease: Lease, fixture: LimiterFixture) => void][] = [
  ["settle", (usage, lease) => lease.settle({ usage })],
  [
    "report",
    (usage, lease) => {
      lease.report(usage);
      lease.settle();
    },
  ],
  [
    "observe",
    (usage, lease, { limiter }) => {
      lease.release();
      limiter.observe({ provider: "a", capability: "chat", usage, outcome: { status: "success" } });
    },
  ],
];
const REPORTS: readonly Usage[] = [1e5, 1e6, 1e12, Number.MAX_SAFE_INTEGER].flatMap((amount): Usage[] => [
  { outputTokens: amount, inputTokens: 200 },
  { inputTokens: amount, outputTokens: 200 },
  { tokens: amount },
]);
const NEEDS: readonly Usage[] = [{}, { inputTokens: 200 }, { maxOutputTokens: 300 } as Usage];
const PROVIDERS: readonly Partial<ProviderConfig>[] = [
  { limits: { tpm: 100_000 } },
  { limits: { tpm: 100_000, itpm: 60_000, otpm: 50_000 } },
  { quotas: [{ dimension: "tokens", limit: 100_000, window: "minute", strategy: "fixed_window" }] },
  { quotas: [{ dimension: "tokens", limit: 100_000, window: "minute", strategy: "token_bucket" }] },
];

describe("one wrong report", () => {
  it.each(WAYS)("half of the old rate is back in the second window after any report by %s", (_, send) => {
    for (const provider of PROVIDERS) {
      for (const needs of NEEDS) {
        for (const usage of REPORTS) {
          for (const historyMs of [0, 600, 1_500, 3_000, 5_000, 60_000, 180_000]) {
            const caller = new SteadyCaller(provider, needs);
            caller.call(historyMs, (lease) => send(usage, lease, caller.fixture));
            caller.call(WINDOW_MS);
            const label = JSON.stringify([provider, needs, usage, historyMs]);
            expect(caller.call(WINDOW_MS), label).toBeGreaterThanOrEqual(100);
          }
        }
      }
    }
  });
});

it("a reported limit below every request is forgotten after ten minutes without another report", async () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { tpm: 100_000 } }],
    capabilities: { chat: ["a"] },
  });
  const reported = [{ dimension: "tokens", window: "minute", limit: 10, remaining: 5 }] as const;
  fixture.grant({ tokens: 500 }).settle({ reported });
  expect(fixture.refusal({ tokens: 500 }).reasons).toMatchObject([{ reason: "too_large", limit: 10 }]);
  await fixture.advance(600_000);
  expect(fixture.hasCapacity({ tokens: 500 })).toBe(true);
  expect(fixture.quota("tokens").ceilingSource).toBe("config");
});

it("one wrong report costs its fairness key no more than one full limit", async () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { rpm: 60, tpm: 100_000 } }],
    capabilities: { chat: ["a"] },
  });
  const { limiter, clock } = fixture;
  const served = { x: 0, y: 0 };
  for (let call = 0; call < 600; call++) {
    for (const key of ["x", "y"] as const) {
      limiter
        .acquire("chat", { fairnessKey: key, tokens: 100, maxWaitMs: 1e7 })
        .then((lease) => {
          served[key]++;
          const isWrong = key === "x" && served.x === 40;
          lease.settle({ usage: { tokens: isWrong ? 1e9 : 100 } });
        })
        .catch(() => {});
    }
  }
  await clock.advanceMsAsync(120_000);
  const before = { ...served };
  await clock.advanceMsAsync(360_000);
  expect(served.x - before.x).toBeGreaterThan(60);
});

it("of one report with 100,000 limits the first 64 are read, and the others counted", () => {
  const fixture = chatFixture({ limits: { tpm: 1_000 } });
  const reported = Array.from({ length: 100_000 }, () => ({
    dimension: "tokens" as const,
    limit: 1_000,
    remaining: 5,
  }));
  const began = performance.now();
  fixture.grant({ tokens: 1 }).settle({ reported });
  expect(performance.now() - began).toBeLessThan(100);
  expect(fixture.limiter.metrics.invalidUsages).toBe(99_936);
});
