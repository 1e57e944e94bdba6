import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../src/index.ts";
import { withSeed } from "../support/seeded-random.ts";
import { effort, propertyRuns } from "../support/test-effort.ts";

// The default tracker against a log of all usage: it never counts too little, and releases at most 0.2 % of the window
// late and never early. Usage is recorded without asking first, so amounts above the limit occur, too.

const LATE = 0.002;

function counting(limit: number, windowMs: number, startMs = 0) {
  const clock = new MockClock({ startMs });
  const quotas = [{ dimension: "requests", limit, window: { seconds: windowMs / 1_000 } }] as const;
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas }], capabilities: { c: ["p"] } });
  const use = (requests: number) =>
    limiter.observe({ provider: "p", usage: { requests }, outcome: { status: "success" } });
  const used = () => limiter.forecast("p")![0]!.used;
  const remaining = () => limiter.remainingQuota("p", "requests")!;
  return { clock, limiter, use, used, remaining };
}

/** Sums over any interval, by prefix sums and binary search. */
class Log {
  readonly #at: number[] = [];
  readonly #sums: number[] = [0];

  add(at: number, amount: number): void {
    this.#at.push(at);
    this.#sums.push(this.#sums.at(-1)! + amount);
  }

  /** The usage after `from`. */
  since(from: number): number {
    let low = 0;
    let high = this.#at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at[middle]! > from) high = middle;
      else low = middle + 1;
    }
    return this.#sums.at(-1)! - this.#sums[low]!;
  }
}

describe("the counted usage", () => {
  it("the count is at least the usage of one window, and at most that of a window 0.2 % longer", () => {
    const amount = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(1, 1, 1, 0, -0, 1_000_000, 1e12));
    const use = fc.record({
      // Gaps as shares of a window: dense, sparse, exact, years without usage.
      gap: fc.oneof(
        { weight: 5, arbitrary: fc.double({ min: 0, max: 0.004, noNaN: true }) },
        { weight: 3, arbitrary: fc.double({ min: 0, max: 0.3, noNaN: true }) },
        { weight: 2, arbitrary: fc.constantFrom(0, 0, 1 / 512, 1, 1 - 2 ** -20, 1 + 2 ** -20, 1e6) },
      ),
      amount,
      repeats: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })),
      readAt: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1.1, noNaN: true })),
    });
    const windowMs = fc.constantFrom(250, 1_000, 60_000, 86_400_000);
    fc.assert(
      fc.property(
        fc.array(use, { minLength: 1, maxLength: 60 }),
        windowMs,
        fc.constantFrom(0, 1.7e12),
        (uses, window, start) => {
          const { clock, use: record, used, remaining } = counting(50, window, start);
          const log = new Log();
          const check = () => {
            const now = clock.now();
            const counted = used();
            if (counted < log.since(now - window))
              expect.unreachable(`${counted} under-counts ${log.since(now - window)}`);
            const longer = log.since(now - window * (1 + LATE));
            if (counted > longer) expect.unreachable(`${counted} is released late: only ${longer} are that young`);
            expect(remaining()).toBe(Math.max(0, 50 - counted));
          };
          // Every instant and share is a multiple of 2^-10 ms, so sums are exact.
          const exact = (ms: number) => Math.round(ms * 1_024) / 1_024;
          for (const { gap, amount: requests, repeats, readAt } of uses) {
            clock.advanceMs(exact(gap * window));
            for (let i = 0; i < repeats; i++) {
              record(requests);
              log.add(clock.now(), requests);
              clock.advanceMs(exact((gap * window) / 64));
              check();
            }
            clock.advanceMs(exact(readAt * window));
            check();
          }
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });

  it("the count is exact if amounts are further apart than the resolution", () => {
    const uses = fc.array(fc.record({ gap: fc.double({ min: LATE, max: 0.4, noNaN: true }), amount: fc.nat(9) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(uses, fc.double({ min: 0, max: 1, noNaN: true }), (script, rest) => {
        const window = 60_000;
        const { clock, use, used } = counting(50, window);
        const log = new Log();
        for (const { gap, amount } of script) {
          clock.advanceMs(Math.ceil(gap * window));
          use(amount);
          log.add(clock.now(), amount);
          expect(used()).toBe(log.since(clock.now() - window));
        }
        clock.advanceMs(Math.ceil(rest * window));
        expect(used()).toBe(log.since(clock.now() - window));
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});

const ARRIVALS = effort(1_000_000, 200_000);

describe("many arrivals in one window", () => {
  it.each([
    ["evenly spaced", (i: number) => i / ARRIVALS],
    ["in clumps of a thousand", (i: number) => (1_000 * Math.floor(i / 1_000)) / ARRIVALS],
    ["ever denser", (i: number) => Math.sqrt(i / ARRIVALS)],
    ["all simultaneous", () => 0],
  ])("%s: exactly the limit is granted, at most 0.2 % late", (_, place) => {
    const limit = ARRIVALS / 5;
    const windowMs = 60_000;
    const { clock, limiter, use, used } = counting(limit, windowMs, 1_000);
    let granted = 0;
    const log = new Log();
    for (let i = 0; i < ARRIVALS; i++) {
      clock.set(1_000 + place(i) * (windowMs - 1));
      if (granted < limit || i % 1_000 === 0) {
        if (limiter.remainingQuota("p", "requests") === 0) continue;
        use(1);
        granted++;
        log.add(clock.now(), 1);
      }
    }
    expect(granted).toBe(limit);
    for (let share = 0.9; share < 2.1; share += 0.0007) {
      clock.set(Math.max(clock.now(), 1_000 + share * windowMs));
      const counted = used();
      expect(counted).toBeGreaterThanOrEqual(log.since(clock.now() - windowMs));
      expect(counted).toBeLessThanOrEqual(log.since(clock.now() - windowMs * (1 + LATE)));
    }
    expect(used()).toBe(0);
  });

  it("many random arrivals are counted exactly and released in time", () => {
    withSeed((random) => {
      const windowMs = 1_000;
      const { clock, use, used } = counting(10, windowMs);
      const log = new Log();
      for (let i = 0; i < ARRIVALS; i++) {
        clock.advanceMs(Math.floor(random() * 4) / 2_048);
        const amount = Math.floor(random() * 3);
        use(amount);
        log.add(clock.now(), amount);
        if (i % 4_096 !== 0) continue;
        const counted = used();
        if (counted < log.since(clock.now() - windowMs)) expect.unreachable(`under-counts at ${clock.now()}`);
        if (counted > log.since(clock.now() - windowMs * (1 + LATE))) expect.unreachable(`late at ${clock.now()}`);
      }
      clock.advanceMs(windowMs * (1 + LATE));
      expect(used()).toBe(0);
    });
  });
});

describe("a caller that always waits for waitMs", () => {
  it("a caller that always waits for waitMs gets the whole limit in every window and 0.2 %", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2_000 })),
        fc.constantFrom(250, 1_000, 60_000),
        fc.integer({ min: 1, max: 7 }),
        (limit, windowMs, amount) => {
          const { clock, limiter, use } = counting(limit, windowMs);
          fc.pre(amount <= limit);
          const windows = 6;
          let sent = 0;
          while (clock.now() < windows * windowMs) {
            const { waitMs } = limiter.select("c", { requests: amount });
            clock.advanceMs(waitMs!);
            expect(limiter.select("c", { requests: amount }).waitMs).toBe(0);
            use(amount);
            sent += amount;
          }
          // Waits are whole milliseconds.
          const inOne = Math.floor(limit / amount) * amount;
          const rounds = Math.ceil((windows * windowMs) / (windowMs * (1 + LATE) + 1));
          expect(sent).toBeGreaterThanOrEqual(rounds * inOne);
        },
      ),
      { numRuns: propertyRuns(20) },
    );
  });
});
