// A reservation is one lease's share of one quota. The sums of the quota follow from its reservations alone.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BurnRate } from "../../../src/quota/burn-rate.ts";
import { Concurrency } from "../../../src/quota/concurrency.ts";
import { Quota } from "../../../src/quota/quota.ts";
import { quotaSpecs } from "../../../src/quota/quota-spec.ts";
import type { Reservation } from "../../../src/quota/reservation.ts";
import { SlidingWindow } from "../../../src/quota/sliding-window.ts";

const WINDOW_MS = 60_000;

function quotaOf(dimension: "requests" | "tokens", limit = 100): Quota {
  const [spec] = quotaSpecs(undefined, [{ dimension, limit, window: "minute" }], null);
  const tracker = new SlidingWindow(limit, WINDOW_MS);
  return new Quota(spec!, null, tracker, new BurnRate());
}

/** Reservations in the order of the quota's schedule. */
function scheduled(quota: Quota): Reservation[] {
  const all: Reservation[] = [];
  for (let each = quota.scheduled.first; each !== null; each = each.next) all.push(each);
  return all;
}

describe("a reservation", () => {
  it("a reservation takes its amount from the remaining amount, and returns it when it is released", () => {
    const quota = quotaOf("tokens");
    const reservation = quota.reserve(30, 0, 0, 0, 1_000);
    expect([quota.reserved, quota.remaining(0), quota.tracker.used(0)]).toEqual([30, 70, 0]);
    reservation.release(0);
    expect([quota.reserved, quota.remaining(0), reservation.isReserved]).toEqual([0, 100, false]);
  });

  it("a reservation becomes usage at the instant of its commit, and is released a window later", () => {
    const quota = quotaOf("tokens");
    quota.reserve(30, 0, 0, 0, 1_000).commit(500);
    expect([quota.reserved, quota.tracker.used(500)]).toEqual([0, 30]);
    expect(quota.tracker.used(500 + WINDOW_MS - 1)).toBe(30);
    expect(quota.tracker.used(500 + WINDOW_MS)).toBe(0);
  });

  it("a reservation is adjusted while it is reserved, and in the window once it is committed", () => {
    const quota = quotaOf("tokens");
    const reservation = quota.reserve(30, 0, 0, 0, 1_000);
    reservation.adjust(50, 10);
    expect([quota.reserved, quota.openReserved, reservation.amount]).toEqual([50, 50, 50]);
    reservation.commit(100);
    reservation.adjust(20, 200);
    expect([quota.reserved, quota.tracker.used(200)]).toEqual([0, 20]);
  });

  it("a reservation that is cancelled at the instant of its grant leaves no trace in the burn rate", () => {
    const [cancelled, untouched] = [quotaOf("tokens"), quotaOf("tokens")];
    for (const quota of [cancelled, untouched]) for (let i = 0; i < 3; i++) quota.record(5, i);
    cancelled.reserve(30, 0, 10, 10, 1_010).cancel(10);
    expect(cancelled.burn.perSecond(20)).toBeCloseTo(untouched.burn.perSecond(20), 9);
    expect(cancelled.remaining(20)).toBe(untouched.remaining(20));
  });

  it("an adjustment reports if it took the last of the quota", () => {
    const quota = quotaOf("tokens");
    quota.record(99, 0);
    const last = quota.reserve(0, 0, 0, 0, 1_000);
    expect([1, 0, 2, 3].map((amount) => last.adjust(amount, 0))).toEqual([true, false, true, false]);
    last.commit(10);
    expect([0, 1].map((amount) => last.adjust(amount, 20))).toEqual([false, true]);
  });

  it("a reservation carries the variance of an estimate until its lease ends", () => {
    const quota = quotaOf("tokens");
    const [first, second] = [quota.reserve(10, 9, 0, 0, 1_000), quota.reserve(10, 16, 0, 0, 1_000)];
    first.commit(5);
    expect(quota.estimateVariance).toBe(25);
    first.close(0);
    expect(quota.estimateVariance).toBe(16);
    first.close(0);
    second.close(0);
    expect(quota.estimateVariance).toBe(0);
  });

  it("a reservation keeps its place in the schedule when its lease ends, and leaves it when it is committed", () => {
    const quota = quotaOf("tokens");
    const [late, early, never] = [900, 300, Infinity].map((at) => quota.reserve(1, 0, 0, 0, at));
    expect(scheduled(quota)).toEqual([early, late]);
    late!.close(0);
    never!.schedule(600);
    expect(scheduled(quota)).toEqual([early, never, late]);
    early!.commit(300);
    expect(scheduled(quota)).toEqual([never, late]);
  });

  it("a reservation returns its whole amount at most, but not a request that was answered or counted", () => {
    const [requests, tokens] = [quotaOf("requests"), quotaOf("tokens")];
    const [answered, counted, size] = [
      requests.reserve(3, 0, 0, 0, 1_000),
      requests.reserve(3, 0, 0, 0, 1_000),
      tokens.reserve(3, 0, 0, 0, 1_000),
    ];
    expect([answered, counted, size].map(({ maxRefund }) => maxRefund)).toEqual([3, 3, 3]);
    answered.confirmAnswer();
    counted.commit(1);
    size.commit(1);
    expect([answered, counted, size].map(({ maxRefund }) => maxRefund)).toEqual([2, 2, 3]);
    expect([requests.openReserved, requests.pinned]).toEqual([3, 1]);
    for (const each of [answered, counted, size]) each.close(0);
    expect([answered, counted, size].map(({ maxRefund }) => maxRefund)).toEqual([0, 0, 0]);
    expect([requests.openReserved, requests.pinned]).toEqual([0, 0]);
  });

  it("an adopted reservation represents usage that a quota already counts", () => {
    const quota = quotaOf("tokens");
    quota.record(40, 100);
    const adopted = quota.adopt(40, 0, 50, 100);
    expect([quota.reserved, quota.tracker.used(100)]).toEqual([0, 40]);
    adopted.adjust(10, 200);
    expect(quota.tracker.used(200)).toBe(10);
  });

  it("a reservation of a place is released and never counted", () => {
    const [spec] = quotaSpecs({ concurrency: 2 }, undefined, null);
    const quota = new Quota(spec!, null, new Concurrency(2), new BurnRate());
    const place = quota.reserve(1, 0, 0, 0, Infinity);
    expect([quota.remaining(0), quota.scheduled.first, quota.held.first]).toEqual([1, null, place]);
    place.close(0);
    place.schedule(1_000);
    expect(scheduled(quota)).toEqual([place]);
    place.release(0);
    expect([quota.remaining(0), quota.scheduled.first, quota.held.first]).toEqual([2, null, null]);
  });
});

describe("the sums of a quota", () => {
  type Step = { readonly act: number; readonly at: number; readonly amount: number };
  const step = fc.record({ act: fc.nat(6), at: fc.nat(50), amount: fc.nat(20) });

  it("the sums of a quota are those of its reservations, after any sequence of operations", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom("requests", "tokens"), (steps: Step[], kind) => {
        const quota = quotaOf(kind as "requests" | "tokens", 1_000);
        const all: Reservation<Quota>[] = [];
        const variances = new Map<Reservation, number>();
        let now = 0;
        for (const { act, at, amount } of steps) {
          now += 7;
          const each = all[at % (all.length + 1)];
          if (each === undefined || act === 0) {
            all.push(quota.reserve(amount, amount, now, now, at % 3 === 0 ? Infinity : now + at));
            variances.set(all.at(-1)!, amount);
          } else if (act === 1 && each.isReserved) each.commit(now);
          else if (act === 2 && each.isReserved) each.release(0);
          else if (act === 3 && each.isReserved) each.cancel(now);
          else if (act === 4 && each.isOpen && (each.isReserved || quota.adjustable.first !== null)) {
            if (each.isReserved) each.adjust(amount, now);
          } else if (act === 5) each.confirmAnswer();
          else if (act === 6) {
            each.close(0);
            if (each.isReserved) each.schedule(now + at);
          }
        }
        const sum = (amounts: number[]) => amounts.reduce((total, amount) => total + amount, 0);
        const reserved = all.filter(({ isReserved }) => isReserved);
        const open = reserved.filter(({ isOpen }) => isOpen);
        expect(quota.reserved).toBe(sum(reserved.map(({ amount }) => amount)));
        expect(quota.openReserved).toBe(sum(open.map(({ amount }) => amount)));
        expect(quota.pinned).toBe(sum(open.map(({ amount, maxRefund }) => amount - maxRefund)));
        expect(quota.estimateVariance).toBe(
          sum(all.filter(({ isOpen }) => isOpen).map((each) => variances.get(each)!)),
        );
        const instants = scheduled(quota).map(({ scheduledAt }) => scheduledAt);
        expect(instants).toEqual([...instants].sort((a, b) => a - b));
        const timed = reserved.filter(({ scheduledAt }) => scheduledAt < Infinity);
        expect(new Set(scheduled(quota))).toEqual(new Set(timed));
      }),
      { numRuns: 300 },
    );
  });
});
