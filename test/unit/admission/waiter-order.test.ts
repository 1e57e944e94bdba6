// The order in which a pass evaluates waiters, whatever makes room.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairShares } from "../../../src/admission/fair-shares.ts";
import { type Verdict, WaitQueue } from "../../../src/admission/wait-queue.ts";
import { type KeyQueue, Waiter } from "../../../src/admission/waiter.ts";
import { Capability } from "../../../src/provider/capability.ts";
import { ProviderList } from "../../../src/provider/provider-list.ts";
import { RequestSpec } from "../../../src/selection/request-spec.ts";

const LISTS = [new ProviderList("one", []), new ProviderList("two", [])];
const listOf = (capability: string) => LISTS[capability < "c" ? 0 : 1]!;

/** A queue with a verdict for each waiter, and the orders of the waiters that a pass has evaluated. */
class QueueFixture {
  readonly evaluated: number[] = [];
  readonly queue: WaitQueue;
  readonly shares = new FairShares<KeyQueue>({ providers: new Map() }, { maxWaiting: 100, maxWaitingPerKey: 100 });
  verdict: (waiter: Waiter) => Verdict = () => "lane stays";
  /** Result of the latest pass. */
  isComplete = true;
  #orders = 0;

  constructor() {
    const evaluate = (waiter: Waiter) => {
      this.evaluated.push(waiter.order);
      const verdict = this.verdict(waiter);
      if (verdict === "gone") this.queue.remove(waiter);
      return verdict;
    };
    this.queue = new WaitQueue(
      evaluate,
      () => false,
      () => {},
    );
  }

  add(capability: string, options: { priority?: number; tokens?: number; fairnessKey?: string } = {}): Waiter {
    const request = new RequestSpec(options.tokens === undefined ? {} : { tokens: options.tokens });
    const list = listOf(capability);
    const share = this.shares.join(
      new Capability(capability, list),
      request,
      options.priority ?? 0,
      options.fairnessKey,
    );
    const waiter = new Waiter(capability, request, options, 1_000, this.#orders++, 0, undefined, share);
    this.queue.add(waiter, list);
    return waiter;
  }

  pass(canDefer = true): number[] {
    this.evaluated.length = 0;
    this.isComplete = this.queue.pass(0, canDefer);
    return [...this.evaluated];
  }
}

describe("a pass", () => {
  it("goes by priority, then by arrival, over all capabilities", () => {
    const fixture = new QueueFixture();
    for (const [capability, priority] of [
      ["a", 0],
      ["b", 1],
      ["c", 0],
      ["a", 1],
      ["d", 2],
    ] as const) {
      fixture.add(capability, { priority });
    }
    fixture.verdict = () => "gone";
    expect(fixture.pass()).toEqual([4, 1, 3, 0, 2]);
    expect([fixture.queue.size, fixture.queue.counts]).toEqual([0, {}]);
  });

  it("evaluates the first of each lane if they stay", () => {
    const fixture = new QueueFixture();
    for (const capability of ["a", "a", "b", "a", "b"]) fixture.add(capability);
    expect(fixture.pass()).toEqual([0, 2]);
    expect(fixture.pass()).toEqual([0, 2]);
    expect(fixture.queue.counts).toEqual({ a: 3, b: 2 });
  });

  it("goes on in a lane behind a waiter that is served, and behind one that stays alone with a smaller one", () => {
    const fixture = new QueueFixture();
    for (const tokens of [50, 60, 40, 45, 30]) fixture.add("a", { tokens });
    fixture.verdict = ({ order }) => (order === 4 ? "gone" : "stays");
    expect(fixture.pass()).toEqual([0, 2, 4]);
    fixture.verdict = ({ order }) => (order < 2 ? "gone" : "lane stays");
    expect(fixture.pass()).toEqual([0, 1, 2]);
  });

  it("defers the other lanes of each group that stays, until a pass that defers none", () => {
    const fixture = new QueueFixture();
    for (const capability of ["a", "b", "c", "b", "a2", "a3"]) fixture.add(capability);
    fixture.verdict = () => "group stays";
    // The lane of "c" is of another group, and has no other lanes.
    expect(fixture.pass()).toEqual([0, 2]);
    expect(fixture.queue.hasDeferred).toBe(true);
    fixture.add("a4");
    expect(fixture.pass(false)).toEqual([0, 1, 2, 4, 5, 6]);
    expect(fixture.queue.hasDeferred).toBe(false);
    fixture.verdict = () => "lane stays";
    expect(fixture.pass()).toEqual([0, 1, 2, 4, 5, 6]);
  });

  it("ends if a waiter can be served before deferred lanes", () => {
    const fixture = new QueueFixture();
    for (const capability of ["a", "b", "c", "d"]) fixture.add(capability);
    fixture.verdict = ({ order }) => (order === 2 ? "restart" : "group stays");
    expect(fixture.pass()).toEqual([0, 2]);
    expect(fixture.isComplete).toBe(false);
    fixture.verdict = ({ order }) => (order === 2 ? "gone" : "group stays");
    expect(fixture.pass(false)).toEqual([0, 1, 2, 3]);
    expect(fixture.isComplete).toBe(true);
  });

  it("a pass starts again with all lanes, also after lanes were deferred", () => {
    const fixture = new QueueFixture();
    for (const capability of ["a", "b", "b2"]) fixture.add(capability);
    fixture.verdict = () => "group stays";
    expect([fixture.pass(), fixture.pass()]).toEqual([[0], [0]]);
    fixture.verdict = () => "gone";
    expect(fixture.pass()).toEqual([0, 1, 2]);
  });

  it("evaluates the waiters of a capability with its new list", () => {
    const fixture = new QueueFixture();
    for (const capability of ["a", "b", "a"]) fixture.add(capability);
    fixture.queue.move("a", LISTS[1]!);
    fixture.verdict = () => "group stays";
    expect(fixture.pass()).toEqual([0, 1]);
    fixture.queue.move("a", null);
    fixture.verdict = () => "gone";
    expect(fixture.pass()).toEqual([0, 1, 2]);
  });
});

describe("the order of a pass", () => {
  const waiter = fc.record({ capability: fc.constantFrom("a", "b", "c"), priority: fc.nat(2), stays: fc.boolean() });

  it("is that of a sort by priority and arrival, less the waiters behind one that stays", () => {
    fc.assert(
      fc.property(fc.array(waiter, { maxLength: 30 }), (waiters) => {
        const fixture = new QueueFixture();
        for (const each of waiters) fixture.add(each.capability, each);
        fixture.verdict = ({ order }) => (waiters[order]!.stays ? "lane stays" : "gone");
        for (let pass = 0; pass < 3; pass++) {
          const left = [...fixture.queue].sort((a, b) => b.priority - a.priority || a.order - b.order);
          const blocked = new Set<string>();
          const expected: number[] = [];
          for (const { order, capability, priority } of left) {
            const lane = `${priority} ${capability}`;
            if (blocked.has(lane)) continue;
            expected.push(order);
            if (waiters[order]!.stays) blocked.add(lane);
          }
          expect(fixture.pass()).toEqual(expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});
