// The life of a lease against its table: every event in every state leads to a state of the table, and instants are kept.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  grantedState,
  holdsPlace,
  isOpen,
  isUncounted,
  LEASE_TRANSITIONS,
  type LeaseEvent,
  type LeaseState,
  type LeaseStateKind,
  nextInstantOf,
  transition,
} from "../../../src/admission/lease-state.ts";

const EVENTS: readonly LeaseEvent[] = [
  ...(["headers", "skewed", "settle", "abandon", "release"] as const),
  ...(["outlasted", "taskEnded", "placeFreed"] as const),
];
const KINDS = Object.keys(LEASE_TRANSITIONS) as LeaseStateKind[];
const AT = 5_000;
const terms = { grantedAt: 4_500, skewCapMs: 1_000, taskMs: 0 };

const EXAMPLES: { readonly [kind in LeaseStateKind]: LeaseState } = {
  unanswered: { kind: "unanswered", countsAt: 5_500, expiresAt: 9_000 },
  late: { kind: "late", countedFrom: 4_800, expiresAt: 9_000 },
  answered: { kind: "answered", countedFrom: 4_800, expiresAt: 9_000 },
  uncounted: { kind: "uncounted", countsAt: 5_500, freeFrom: 5_600, freeAt: 5_600 },
  lingering: { kind: "lingering", countedFrom: 4_800, freeFrom: 5_600, freeAt: 5_600 },
  freed: { kind: "freed", countsAt: 5_500 },
  done: { kind: "done", countedFrom: 4_800 },
};

describe.each(KINDS)("a lease that is %s", (kind) => {
  it.each(EVENTS)(
    "a lease in that state changes with the event %s as the table states, and not at all if its cell is empty",
    (event) => {
      const before = EXAMPLES[kind];
      const allowed = LEASE_TRANSITIONS[kind][event];
      for (const skewCapMs of [0, 100, 1_000, Infinity]) {
        const after = transition(before, event, AT, { ...terms, skewCapMs });
        if (allowed === undefined) expect(after).toBe(before);
        else expect(allowed).toContain(after.kind);
      }
    },
  );
});

describe("a lease", () => {
  const event = fc.constantFrom(...EVENTS);
  const steps = fc.array(fc.record({ event, gapMs: fc.nat(1_500) }), { maxLength: 12 });
  const skew = fc.constantFrom(0, 1, 500, 1_000, 5_000, Infinity);
  const task = fc.constantFrom(0, 300, 1_000, 4_000);

  it("a lease reaches only the states of the table, by any sequence of events", () => {
    fc.assert(
      fc.property(steps, skew, task, (sequence, skewCapMs, taskMs) => {
        const granted = { grantedAt: 0, skewCapMs, taskMs };
        let state = grantedState(granted, 10_000);
        let now = 0;
        for (const { event: next, gapMs } of sequence) {
          now += gapMs;
          const after = transition(state, next, now, granted);
          const allowed = LEASE_TRANSITIONS[state.kind][next];
          expect(allowed?.includes(after.kind) ?? after === state).toBe(true);
          state = after;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("a lease never opens again, is never counted twice, and never takes its place again", () => {
    fc.assert(
      fc.property(steps, skew, task, (sequence, skewCapMs, taskMs) => {
        const granted = { grantedAt: 0, skewCapMs, taskMs };
        let state = grantedState(granted, 10_000);
        let now = 0;
        for (const { event: next, gapMs } of sequence) {
          now += gapMs;
          const after = transition(state, next, now, granted);
          if (!isOpen(state)) expect(isOpen(after)).toBe(false);
          if (!holdsPlace(state)) expect(holdsPlace(after)).toBe(false);
          if (!isUncounted(state)) {
            expect(isUncounted(after)).toBe(false);
            const counted = (each: LeaseState) => (isUncounted(each) ? null : each.countedFrom);
            if (next !== "release") expect(counted(after)).toBe(counted(state));
          }
          state = after;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("a lease is done once it has ended and its instants have passed", () => {
    fc.assert(
      fc.property(steps, skew, task, (sequence, skewCapMs, taskMs) => {
        const granted = { grantedAt: 0, skewCapMs, taskMs };
        let state = grantedState(granted, 10_000);
        let now = 0;
        for (const { event: next, gapMs } of sequence) {
          now += gapMs;
          state = transition(state, next, now, granted);
        }
        state = transition(state, "abandon", now, granted);
        for (let turns = 0; nextInstantOf(state) < Infinity; turns++) {
          expect(turns).toBeLessThan(4);
          const at = nextInstantOf(state);
          const isCounting = isUncounted(state) && state.countsAt === at;
          const isFree = "freeAt" in state && state.freeAt <= at;
          state = transition(state, isCounting ? "skewed" : isFree ? "placeFreed" : "outlasted", at, granted);
        }
        expect(state.kind).toBe("done");
      }),
      { numRuns: 2_000 },
    );
  });

  it("random sequences of events reach every cell of the table", () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(steps, skew, task, (sequence, skewCapMs, taskMs) => {
        const granted = { grantedAt: 0, skewCapMs, taskMs };
        let state = grantedState(granted, 10_000);
        let now = 0;
        for (const { event: next, gapMs } of sequence) {
          now += gapMs;
          const after = transition(state, next, now, granted);
          if (after !== state) reached.add(`${state.kind} ${next} ${after.kind}`);
          state = after;
        }
      }),
      { numRuns: 20_000 },
    );
    const cells = KINDS.flatMap((kind) =>
      EVENTS.flatMap((each) => (LEASE_TRANSITIONS[kind][each] ?? []).map((after) => `${kind} ${each} ${after}`)),
    );
    expect([...reached].sort()).toEqual(cells.sort());
  });
});
