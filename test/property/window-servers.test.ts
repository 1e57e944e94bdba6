import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, NoAvailableProviders } from "../../src/index.ts";
import { propertyRuns } from "../support/test-effort.ts";
import {
  everyServer,
  fixedWindowServer,
  type Server,
  slidingLogServer,
  TICKS_PER_MS,
  tokenBucketServer,
} from "../support/window-servers.ts";

// A true limit is never exceeded: a caller that sends only if the default tracker has capacity is never refused by a
// server with the same limit and window, with a fixed window of any phase, a sliding log, or a token bucket that starts
// full.

const YEAR_MS = 365 * 86_400_000;

/** The gaps between arrivals: simultaneous, even, at the edges of windows, after years. */
type Arrival =
  | { readonly kind: "after"; readonly share: number }
  | { readonly kind: "evenly"; readonly factor: number }
  | { readonly kind: "window"; readonly ticks: number }
  | { readonly kind: "edge"; readonly ticks: number }
  | { readonly kind: "resolution"; readonly ticks: number }
  | { readonly kind: "years"; readonly years: number };

interface Step {
  readonly arrival: Arrival;
  readonly amount: number | "limit" | "above" | "half";
  readonly repeats: number;
  readonly isPatient: boolean;
}

const ticks = fc.integer({ min: -2, max: 2 });
const arrival: fc.Arbitrary<Arrival> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("after"), share: fc.double({ min: 0, max: 0.02, noNaN: true }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("after"), share: fc.double({ min: 0, max: 1.2, noNaN: true }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("after"), share: fc.constant(0) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("evenly"), factor: fc.constantFrom(1, 1, 0.5, 0.99, 1.01, 2) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("window"), ticks }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("edge"), ticks }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resolution"), ticks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("years"), years: fc.constantFrom(1, 30) }) },
);
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 0.5, Number.MAX_SAFE_INTEGER, "limit", "above", "half") },
) as fc.Arbitrary<Step["amount"]>;
const step: fc.Arbitrary<Step> = fc.record({
  arrival,
  amount,
  repeats: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 70 })),
  isPatient: fc.boolean(),
});
const script = fc.array(step, { minLength: 1, maxLength: 80 });
const limit = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom(0, 1, 600));
const seconds = fc.constantFrom(0.25, 1, 7.3, 60, 3_600, 86_400);
const startMs = fc.constantFrom(0, 0.5, -12_345, 1.7e12);

function ticksOf(next: Arrival, now: number, max: number, windowTicks: number): number {
  switch (next.kind) {
    case "after":
      return Math.round(next.share * windowTicks);
    case "evenly":
      return Math.round((next.factor * windowTicks) / Math.max(1, max));
    case "window":
      return windowTicks + next.ticks;
    case "edge":
      return Math.max(0, windowTicks - (((now % windowTicks) + windowTicks) % windowTicks) + next.ticks);
    case "resolution":
      return Math.ceil(windowTicks / 512) + next.ticks;
    case "years":
      return next.years * YEAR_MS * TICKS_PER_MS;
  }
}

function amountOf(step: Step, max: number): number {
  if (step.amount === "limit") return max;
  if (step.amount === "above") return max + 1;
  return step.amount === "half" ? Math.ceil(max / 2) : step.amount;
}

/** Sent amounts, for sums over any window of any phase. */
class Sent {
  readonly #ticks: number[] = [];
  readonly #amounts: number[] = [];

  add(tick: number, amount: number): void {
    this.#ticks.push(tick);
    this.#amounts.push(amount);
  }

  /** The maximum of any interval of one window length. An interval that starts with a request reaches it. */
  mostIn(windowTicks: number): number {
    let most = 0;
    let sum = 0;
    let first = 0;
    for (const [i, tick] of this.#ticks.entries()) {
      sum += this.#amounts[i]!;
      while (this.#ticks[first]! <= tick - windowTicks) sum -= this.#amounts[first++]!;
      most = Math.max(most, sum);
    }
    return most;
  }
}

describe("a caller that sends only if there is capacity", () => {
  it("a caller is never refused by a server with the same limit and window", () => {
    let asked = 0;
    let sentCount = 0;
    fc.assert(
      fc.property(
        script,
        limit,
        seconds,
        startMs,
        fc.array(fc.nat(10_000), { maxLength: 3 }),
        (steps, max, s, start, shares) => {
          const windowTicks = s * 1_000 * TICKS_PER_MS;
          const clock = new MockClock({ startMs: start });
          const limiter = new GrateLimiter({
            clock,
            providers: [{ name: "p", quotas: [{ dimension: "requests", limit: max, window: { seconds: s } }] }],
            capabilities: { c: ["p"] },
          });
          const phases = [
            0,
            start * TICKS_PER_MS,
            ...shares.map((share) => Math.round((share / 10_000) * windowTicks)),
          ];
          const servers = everyServer(max, windowTicks, phases);
          const sent = new Sent();
          const send = (requests: number) => {
            const tick = clock.now() * TICKS_PER_MS;
            const counted = Math.ceil(requests);
            for (const server of servers) {
              if (!server.accepts(counted, tick))
                expect.unreachable(`${server.name} refused ${counted} at ${clock.now()} ms`);
            }
            sent.add(tick, counted);
            limiter.observe({ provider: "p", usage: { requests }, outcome: { status: "success" } });
            sentCount++;
          };
          for (const next of steps) {
            clock.set(clock.now() + ticksOf(next.arrival, clock.now() * TICKS_PER_MS, max, windowTicks) / TICKS_PER_MS);
            for (let i = 0; i < next.repeats; i++) {
              const requests = amountOf(next, max);
              const waitMs = waitFor(limiter, requests);
              asked++;
              if (waitMs !== null && waitMs > 0 && next.isPatient) {
                clock.advanceMs(waitMs);
                expect(waitFor(limiter, requests)).toBe(0);
                send(requests);
              } else if (waitMs === 0) send(requests);
            }
          }
          expect(sent.mostIn(windowTicks)).toBeLessThanOrEqual(max);
        },
      ),
      { numRuns: propertyRuns(400) },
    );
    // Some requests were sent and some were not.
    expect(sentCount).toBeGreaterThan(asked / 20);
    expect(sentCount).toBeLessThan((asked * 19) / 20);
  });

  /** 0: now. null: never. The remaining amount must give the same answer. */
  function waitFor(limiter: GrateLimiter, requests: number): number | null {
    let waitMs: number | null = null;
    try {
      waitMs = limiter.select("c", { requests }).waitMs;
      expect(waitMs).not.toBeNull();
    } catch (error) {
      if (!NoAvailableProviders.is(error)) throw error;
      expect(error.reasons[0]?.reason).toBe("too_large");
    }
    const remaining = limiter.remainingQuota("p", "requests")!;
    if (requests > 0) expect(remaining >= Math.ceil(requests)).toBe(waitMs === 0);
    return waitMs;
  }

  it("a caller of two dimensions and a shared pool is refused by none of their servers", () => {
    const arrivals = fc.array(
      fc.record({
        gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 900 }), fc.constantFrom(1_000, 10_000, 60_000)),
        tokens: fc.integer({ min: 0, max: 300 }),
        capability: fc.constantFrom("any", "onlyA", "onlyB"),
      }),
      { minLength: 20, maxLength: 300 },
    );
    fc.assert(
      fc.property(arrivals, fc.nat(60_000), (requests, phaseMs) => {
        const clock = new MockClock();
        const limiter = new GrateLimiter({
          clock,
          pools: { org: { limits: { tpm: 5_000, rps: 8 } } },
          providers: [
            { name: "a", limits: { rpm: 30 }, pools: ["org"] },
            { name: "b", limits: { rpm: 20, tpm: 2_000 }, pools: ["org"] },
          ],
          capabilities: { any: ["a", "b"], onlyA: ["a"], onlyB: ["b"] },
        });
        const phase = phaseMs * TICKS_PER_MS;
        const both = (name: string, max: number, windowMs: number): Server[] => [
          { ...slidingLogServer(max, windowMs * TICKS_PER_MS), name },
          { ...fixedWindowServer(max, windowMs * TICKS_PER_MS, phase), name: `${name}, fixed` },
          { ...tokenBucketServer(max, windowMs * TICKS_PER_MS, max), name: `${name}, bucket` },
        ];
        const perRequest: { [provider: string]: Server[] } = {
          a: [...both("rpm of a", 30, 60_000)],
          b: [...both("rpm of b", 20, 60_000)],
        };
        const perToken: { [provider: string]: Server[] } = { a: [], b: both("tpm of b", 2_000, 60_000) };
        const poolRequests = both("rps of org", 8, 1_000);
        const poolTokens = both("tpm of org", 5_000, 60_000);
        for (const { gapMs, tokens, capability } of requests) {
          clock.advanceMs(gapMs);
          const { provider, waitMs } = limiter.select(capability, { tokens });
          if (waitMs !== 0) continue;
          const tick = clock.now() * TICKS_PER_MS;
          const refusing = [
            ...[...perRequest[provider]!, ...poolRequests].filter((server) => !server.accepts(1, tick)),
            ...[...perToken[provider]!, ...poolTokens].filter((server) => !server.accepts(tokens, tick)),
          ];
          expect(refusing.map(({ name }) => name)).toEqual([]);
          limiter.observe({ provider, usage: { tokens }, outcome: { status: "success" } });
        }
      }),
      { numRuns: propertyRuns(150) },
    );
  });

  it("a caller stays within the limit on a clock with any fractions", () => {
    const gaps = fc.array(
      fc.oneof(fc.double({ min: 0, max: 400, noNaN: true }), fc.constantFrom(0.1, 1 / 3, 999.9, 1_000)),
      {
        minLength: 10,
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 12 }), fc.constantFrom(0, 0.7, 1e9 / 3), (script, max, start) => {
        const clock = new MockClock({ startMs: start });
        const limiter = new GrateLimiter({ clock, providers: [{ name: "p", limits: { rps: max } }] });
        const sent: number[] = [];
        for (const gap of script) {
          clock.advanceMs(gap);
          while (limiter.remainingQuota("p", "requests")! > 0) {
            sent.push(clock.now());
            limiter.observe({ provider: "p", outcome: { status: "success" } });
          }
        }
        for (let i = max; i < sent.length; i++) {
          // A nanosecond for the rounding of sums that no double can represent.
          expect(sent[i]! - sent[i - max]!).toBeGreaterThan(1_000 - 1e-6);
        }
      }),
      { numRuns: propertyRuns(150) },
    );
  });
});
