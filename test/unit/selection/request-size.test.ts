// The quota part of the score looks at the state after the request.
import fc from "fast-check";
import { expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderScoreContext } from "../../../src/index.ts";

const LIMITS = { rpm: 50, tpm: 10_000, itpm: 8_000, concurrency: 5 };
const chances = { requests: fc.integer({ min: 1, max: 10 }), input: fc.nat(3_000), output: fc.nat(3_000) };

it("the part is the smallest share of a limit that the request leaves, and a single request costs nothing", () => {
  fc.assert(
    fc.property(
      fc.record(chances),
      fc.nat(4),
      fc.boolean(),
      fc.constantFrom("select", "explain"),
      ({ requests, input, output }, open, isTotal, way) => {
        const clock = new MockClock();
        const limiter = new GrateLimiter({
          clock,
          providers: [{ name: "a", limits: LIMITS }],
          capabilities: { chat: ["a"] },
        });
        // Before the burn rate counts.
        for (let lease = 0; lease < open; lease++) limiter.tryAcquire("chat", { tokens: 100 });
        const size = isTotal ? { tokens: input + output } : { inputTokens: input, outputTokens: output };
        const ofInput = isTotal ? input + output : input;
        const shares = [
          (LIMITS.rpm - open - (requests - 1)) / LIMITS.rpm,
          (LIMITS.tpm - 100 * open - (input + output)) / LIMITS.tpm,
          (LIMITS.itpm - 100 * open - ofInput) / LIMITS.itpm,
          (LIMITS.concurrency - open) / LIMITS.concurrency,
        ];
        const expected = Math.max(0, Math.min(...shares));
        const options = { requests, ...size };
        const decision =
          way === "select" ? limiter.select("chat", options) : limiter.explain("chat", options).decision!;
        expect(decision.reasoning.quotaScore).toBeCloseTo(expected, 12);
      },
    ),
  );
});

it("a large request goes where it leaves more, and a small one stays", () => {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [
      { name: "small", limits: { tpm: 10_000 }, priority: 11 },
      { name: "large", limits: { tpm: 100_000 } },
    ],
    capabilities: { chat: ["small", "large"] },
  });
  expect(limiter.select("chat", { tokens: 100 }).provider).toBe("small");
  expect(limiter.select("chat", { tokens: 9_000 }).provider).toBe("large");
  // In turns, so that a cached score would show.
  for (let turn = 0; turn < 3; turn++) {
    expect(limiter.select("chat", { tokens: 9_000 }).provider).toBe("large");
    expect(limiter.select("chat").provider).toBe("small");
  }
});

it("a strategy reads the demand, and the limit, the rest and the amount in flight of each quota", () => {
  const seen: unknown[] = [];
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    pools: { org: { limits: { tpm: 1_000 } } },
    providers: [{ name: "a", limits: { rpm: 10 }, pools: ["org"] }],
    capabilities: { chat: ["a"] },
    scoring: {
      score({ demand, quotas }: ProviderScoreContext) {
        seen.push(JSON.parse(JSON.stringify({ demand, quotas })));
        return 1;
      },
    },
  });
  limiter.tryAcquire("chat", { tokens: 300 });
  limiter.select("chat", { inputTokens: 20, outputTokens: 10 });
  expect(seen.at(-1)).toEqual({
    demand: { requests: 1, tokens: 30, inputTokens: 20, outputTokens: 10 },
    quotas: [
      { dimension: "requests", window: "minute", pool: null, limit: 10, remaining: 9, inFlight: 1 },
      { dimension: "tokens", window: "minute", pool: "org", limit: 1_000, remaining: 700, inFlight: 300 },
    ],
  });
});
