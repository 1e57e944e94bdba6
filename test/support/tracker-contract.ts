// The contract of trackers: laws that every tracker must satisfy. Each law is a function that throws. A subject brings
// its own brute-force computation of usage from everything that was ever recorded.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Tracker } from "../../src/quota/tracker.ts";
import { effort } from "./test-effort.ts";
import { exact, gap, type Plan, plans, share, type Use } from "./usage-history.ts";

/** A tracker to test, with its expected usage. */
export interface Subject {
  /** The window lengths to test, ms. */
  readonly windowsMs: readonly number[];
  make(capacity: number, windowMs: number, startMs: number): Tracker;
  /** The expected minimum and maximum usage at `now`. */
  bounds(
    uses: readonly Use[],
    now: number,
    capacity: number,
    windowMs: number,
    startMs: number,
  ): [least: number, most: number];
  /** The laws that the subject does not satisfy, with the reasons. The suite checks that each of them really fails. */
  readonly without?: { readonly [law in LawName]?: string };
}

// More than the rounding of any instant up to the year 2100, and far less than a millisecond. window-strategies.test.ts
// and forecast-fields.test.ts check that this never adds a millisecond to a result.
const ROUNDING_MS = 2 ** -10;

/** A tracker after a history. */
function after(subject: Subject, { capacity, windowMs, startMs, uses }: Plan): Tracker {
  const tracker = subject.make(capacity, windowMs, startMs);
  for (const { at, amount } of uses) tracker.record(amount, at);
  return tracker;
}

const remaining = (tracker: Tracker, now: number): number => Math.max(0, tracker.capacity - tracker.used(now));

interface Answers {
  readonly counts: readonly unknown[];
  readonly instants: readonly number[];
}

/** All readings of a tracker at `now`; `ahead` in ms from `from`. */
function answers(tracker: Tracker, now: number, from: number, ahead: readonly number[]): Answers {
  const used = tracker.used(now);
  const amounts = [1, 2, Math.ceil(used / 2), used, used + 1].filter((amount) => amount > 0);
  const resets = tracker.resets?.(now);
  return {
    counts: [used, remaining(tracker, now), ...ahead.map((ms) => tracker.releasedBy(from + ms, now)), resets?.isKnown],
    instants: [
      ...amounts.map((amount) => tracker.releaseAt(amount, now)),
      ...[tracker.forgottenAt(now), resets?.at ?? 0, resets?.nextAt ?? 0],
    ],
  };
}

/** Equal amounts, and equal instants except for the last bits. */
function expectSame(actual: Answers, expected: Answers): void {
  expect(actual.counts).toEqual(expected.counts);
  for (const [i, instant] of actual.instants.entries()) {
    const other = expected.instants[i]!;
    if (instant !== other && !(Math.abs(instant - other) <= 1e-12 * Math.max(1e3, Math.abs(other)))) {
      expect(actual.instants).toEqual(expected.instants);
    }
  }
}

function holds<T>(arbitrary: fc.Arbitrary<T>, law: (given: T) => void, numRuns = 150): void {
  fc.assert(fc.property(arbitrary, law), { numRuns });
}

/** The laws by their statements. */
export const LAWS = {
  "keeps used and remaining amounts integers, with remaining from 0 to the capacity"(subject: Subject) {
    holds(plans(subject.windowsMs, [0.5, 1, 1e6]), (plan) => {
      const tracker = after(subject, plan);
      for (const now of [plan.now, plan.now + plan.windowMs / 3, plan.now + 5 * plan.windowMs]) {
        const used = tracker.used(now);
        expect(Number.isInteger(used) && used >= 0, `used ${used}`).toBe(true);
        expect(remaining(tracker, now)).toBeLessThanOrEqual(plan.capacity);
      }
    });
  },

  "reduces the remaining amount by the recorded amount, or to 0"(subject: Subject) {
    holds(plans(subject.windowsMs), ({ uses, ...plan }) => {
      const tracker = subject.make(plan.capacity, plan.windowMs, plan.startMs);
      for (const { at, amount } of uses) {
        const before = remaining(tracker, at);
        tracker.record(amount, at);
        expect(remaining(tracker, at)).toBe(before - Math.min(amount, before));
      }
    });
  },

  "only releases as time passes"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs), fc.array(gap, { minLength: 2, maxLength: 20 })), ([plan, gaps]) => {
      const tracker = after(subject, plan);
      let now = plan.now;
      let before = tracker.used(now);
      for (const next of gaps) {
        now += exact(next * plan.windowMs);
        const used = tracker.used(now);
        expect(used).toBeLessThanOrEqual(before);
        before = used;
      }
    });
  },

  "reports the exact millisecond of a release"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs), share(1)), ([plan, part]) => {
      const tracker = after(subject, plan);
      const used = tracker.used(plan.now);
      /** A second tracker that was never read before. */
      const releasedAt = (at: number) => used - after(subject, plan).used(at);
      expect(tracker.releaseAt(used + 1, plan.now)).toBe(Number.POSITIVE_INFINITY);
      expect(tracker.releaseAt(0, plan.now)).toBeLessThanOrEqual(plan.now);
      let last = plan.now;
      for (const amount of [1, Math.ceil(part * used), used]) {
        if (amount < 1 || amount > used) continue;
        const at = tracker.releaseAt(amount, plan.now);
        if (at === Number.POSITIVE_INFINITY) {
          expect(releasedAt(plan.now + 1e15)).toBeLessThan(amount);
          continue;
        }
        expect(at).toBeGreaterThanOrEqual(last - ROUNDING_MS);
        last = at;
        for (const then of [at, Math.ceil(at)]) {
          expect(releasedAt(then), `${amount} released at ${then}`).toBeGreaterThanOrEqual(amount);
        }
        for (const early of [at - ROUNDING_MS, Math.ceil(at - ROUNDING_MS) - 1]) {
          if (early >= plan.now) expect(releasedAt(early), `${amount} not released at ${early}`).toBeLessThan(amount);
        }
      }
    });
  },

  "releases the announced amounts by the announced instant"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs), fc.array(gap, { minLength: 1, maxLength: 5 })), ([plan, gaps]) => {
      const tracker = after(subject, plan);
      const used = tracker.used(plan.now);
      for (const ahead of gaps) {
        const at = plan.now + exact(ahead * plan.windowMs);
        const released = tracker.releasedBy(at, plan.now);
        expect(released).toBe(used - after(subject, plan).used(at));
        if (tracker.refillPerMs > 0) {
          const even = Math.min(used, tracker.refillPerMs * (at - plan.now));
          if (used <= plan.capacity) expect(Math.abs(released - even)).toBeLessThan(1 + 1e-9 * even);
        }
      }
    });
  },

  "is not changed by reads"(subject: Subject) {
    const reads = fc.array(fc.tuple(share(1), share(2)), { minLength: 1, maxLength: 4 });
    holds(fc.tuple(plans(subject.windowsMs), reads), ([plan, looks]) => {
      const curious = subject.make(plan.capacity, plan.windowMs, plan.startMs);
      let last = plan.startMs;
      for (const { at, amount } of [...plan.uses, { at: plan.now, amount: 0 }]) {
        for (const [part, ahead] of looks) {
          const between = last + exact(part * (at - last));
          answers(curious, between, between, [ahead * plan.windowMs]);
          last = Math.max(last, between);
        }
        curious.record(amount, at);
        last = at;
      }
      const ahead = looks.map(([, windows]) => windows * plan.windowMs);
      expectSame(answers(curious, plan.now, plan.now, ahead), answers(after(subject, plan), plan.now, plan.now, ahead));
    });
  },

  "does not move back with a clock that goes back"(subject: Subject) {
    const setBacks = fc.array(fc.option(gap), { minLength: 1, maxLength: 25 });
    holds(fc.tuple(plans(subject.windowsMs), setBacks), ([plan, backs]) => {
      const back = subject.make(plan.capacity, plan.windowMs, plan.startMs);
      const ahead = [0, plan.windowMs / 7, plan.windowMs, 3 * plan.windowMs];
      const still: Use[] = [];
      let latest = plan.startMs;
      back.used(latest);
      for (const [i, { at, amount }] of plan.uses.entries()) {
        const setBack = backs[i % backs.length] ?? null;
        const reading = setBack === null ? at : at - exact(setBack * plan.windowMs);
        latest = Math.max(latest, reading);
        back.record(amount, reading);
        // Recorded amounts are known from then on, and no earlier instant is accepted.
        if (amount > 0) still.push({ at: latest, amount });
        const steady = after(subject, { ...plan, uses: still });
        steady.used(latest);
        expectSame(answers(back, latest, latest, ahead), answers(steady, latest, latest, ahead));
        expectSame(answers(back, reading, latest, ahead), answers(steady, latest, latest, ahead));
      }
    });
  },

  "counts the expected usage"(subject: Subject) {
    holds(
      fc.tuple(plans(subject.windowsMs), fc.array(gap, { maxLength: 4 })),
      ([plan, gaps]) => {
        const { capacity, windowMs, startMs, uses } = plan;
        const tracker = subject.make(capacity, windowMs, startMs);
        const check = (now: number, past: readonly Use[]) => {
          const [least, most] = subject.bounds(past, now, capacity, windowMs, startMs);
          const used = tracker.used(now);
          if (used < least) expect.unreachable(`under-counts: ${used} at ${now}, where at least ${least} count`);
          if (used > most) expect.unreachable(`over-counts: ${used} at ${now}, where at most ${most} count`);
        };
        for (const [i, { at, amount }] of uses.entries()) {
          check(at, uses.slice(0, i));
          tracker.record(amount, at);
          check(at, uses.slice(0, i + 1));
        }
        // One window after each use, and just before it, because merged usage must not leave too early.
        const last = uses.at(-1)!.at;
        const edges = uses.flatMap(({ at }) => [at + windowMs - 2 ** -10, at + windowMs]);
        for (const edge of edges.filter((at) => at >= last).sort((a, b) => a - b)) check(edge, uses);
        let now = Math.max(plan.now, last + windowMs);
        for (const next of gaps) {
          now += exact(next * windowMs);
          check(now, uses);
        }
      },
      200,
    );
  },

  "releases everything that was recorded, by the announced instant"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs, [1, 1e3, 1e6]), fc.integer({ min: 1, max: 9 })), ([plan, amount]) => {
      const forgottenAt = after(subject, plan).forgottenAt(plan.now);
      const one = after(subject, { ...plan, uses: [...plan.uses, { at: plan.now, amount }] });
      if (forgottenAt !== Number.POSITIVE_INFINITY) {
        expect(forgottenAt).toBeGreaterThan(plan.now);
        expect(one.used(Math.ceil(forgottenAt))).toBe(after(subject, plan).used(Math.ceil(forgottenAt)));
      }
      if (plan.capacity > 0) expect(remaining(one, plan.now + 1e9 * plan.windowMs)).toBe(plan.capacity);
    });
  },

  "stays unchanged for the announced time"(subject: Subject) {
    const read = fc.boolean();
    holds(fc.tuple(plans(subject.windowsMs), share(1), read), ([plan, part, isRead]) => {
      const tracker = after(subject, plan);
      // The counted usage is visible without a call.
      if (isRead) tracker.used(plan.now);
      const used = tracker.usedNow;
      const from = isRead ? plan.now : Math.max(0, ...plan.uses.map(({ at }) => at));
      const until = Math.min(tracker.unchangedUntil, from + 9 * plan.windowMs);
      for (const at of [from, from + (until - from) * part, until - 2 ** -9]) {
        if (at >= from && at < until) expect(tracker.used(at), `at ${at}, before ${until}`).toBe(used);
      }
    });
  },

  "applies a correction as if the amount had been right from the beginning"(subject: Subject) {
    const amount = fc.integer({ min: 1, max: 50 });
    holds(fc.tuple(plans(subject.windowsMs), fc.nat(), amount), ([plan, pick, truth]) => {
      // If two uses have one instant, either can be meant.
      const uses = plan.uses.filter((use, i) => use.amount > 0 && use.at !== plan.uses[i - 1]?.at);
      const meant = pick % Math.max(1, uses.length);
      const estimated = after(subject, { ...plan, uses });
      if (uses.length === 0 || estimated.amend === undefined) return;
      const { at, amount } = uses[meant]!;
      estimated.amend(truth - amount, at, plan.now);
      const known = after(subject, {
        ...plan,
        uses: uses.map((use, i) => (i === meant ? { at, amount: truth } : use)),
      });
      const ahead = [0, plan.windowMs / 7, plan.windowMs];
      if (estimated.refillPerMs > 0) {
        // An increase is added late, and usage above twice the burst is dropped.
        const isForgotten = uses.reduce((sum, use) => sum + use.amount, truth) > 2 * estimated.capacity;
        if (truth > amount) expect(estimated.used(plan.now)).toBeGreaterThanOrEqual(known.used(plan.now));
        else if (!isForgotten) expect(estimated.used(plan.now)).toBe(known.used(plan.now));
        return;
      }
      // Amounts in one entry leave together, so a correction can come after its own window.
      if (plan.now < at + plan.windowMs) {
        expectSame(answers(estimated, plan.now, plan.now, ahead), answers(known, plan.now, plan.now, ahead));
      }
    });
  },

  "has independent copies"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs), fc.integer({ min: 1, max: 50 })), ([plan, amount]) => {
      const tracker = after(subject, plan);
      const copy = tracker.copy?.();
      if (copy === undefined) return;
      const ahead = [0, plan.windowMs / 7, plan.windowMs];
      expectSame(answers(copy, plan.now, plan.now, ahead), answers(after(subject, plan), plan.now, plan.now, ahead));
      copy.record(amount, plan.now);
      expectSame(answers(tracker, plan.now, plan.now, ahead), answers(after(subject, plan), plan.now, plan.now, ahead));
    });
  },

  "keeps its usage when it is resized"(subject: Subject) {
    holds(fc.tuple(plans(subject.windowsMs, [0.5, 1]), fc.nat(100_000)), ([plan, capacity]) => {
      const tracker = after(subject, plan);
      const used = tracker.used(plan.now);
      tracker.resize(capacity, capacity, plan.now);
      expect(tracker.capacity).toBe(capacity);
      expect(remaining(tracker, plan.now)).toBe(Math.max(0, capacity - used));
      const same = after(subject, plan);
      same.resize(plan.capacity, plan.capacity, plan.now);
      const ahead = [0, plan.windowMs / 7, plan.windowMs];
      expectSame(answers(same, plan.now, plan.now, ahead), answers(after(subject, plan), plan.now, plan.now, ahead));
    });
  },

  "uses no more memory after a million uses"(subject: Subject) {
    for (const windowMs of subject.windowsMs) {
      const tracker = subject.make(1_000, windowMs, 0);
      const usedAfter = (uses: number, from: number) => {
        for (let i = 0; i < uses; i++) tracker.record(1, from + (i * windowMs) / 300_000);
        return heldBytes();
      };
      const before = usedAfter(20_000, 0);
      const grown = usedAfter(effort(1_000_000, 200_000), windowMs) - before;
      expect(grown, `${grown} bytes more`).toBeLessThan(1_000_000);
      expect(tracker.used(windowMs)).toBeGreaterThanOrEqual(0);
    }
  },
} as const satisfies { readonly [law: string]: (subject: Subject) => void };

export type LawName = keyof typeof LAWS;
export const LAW_NAMES = Object.keys(LAWS) as LawName[];

let collectGarbage: (() => void) | null = null;

/** Bytes that are still referenced. */
function heldBytes(): number {
  if (collectGarbage === null) {
    setFlagsFromString("--expose_gc");
    collectGarbage = runInNewContext("gc") as () => void;
  }
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Runs all laws as tests. A law that a subject declares as not satisfied must really fail. */
export function describeTracker(name: string, subject: Subject): void {
  describe(name, () => {
    for (const law of LAW_NAMES) {
      const why = subject.without?.[law];
      if (why === undefined) it(law, () => LAWS[law](subject));
      else it(`this tracker does not promise that it ${law}: ${why}`, () => expect(() => LAWS[law](subject)).toThrow());
    }
  });
}
