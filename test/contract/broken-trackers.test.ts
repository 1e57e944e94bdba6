import { describe, expect, it } from "vitest";
import type { Tracker } from "../../src/quota/tracker.ts";
import { LAW_NAMES, LAWS, type LawName, type Subject } from "../support/tracker-contract.ts";
import type { Use } from "../support/usage-history.ts";

// The contract must catch every violation: each of these trackers violates one law, and the test of that law must
// throw.

const RESOLUTION_LATE = 0.002;

/**
 * A plain log without merged entries: correct except for its memory. The other trackers are this one with a mistake.
 */
class PlainLog implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  protected readonly windowMs: number;
  protected log: Use[] = [];
  protected latest = Number.NEGATIVE_INFINITY;

  constructor(capacity: number, windowMs: number) {
    this.capacity = capacity;
    this.windowMs = windowMs;
  }

  used(now: number): number {
    return this.counted(this.read(now));
  }

  record(amount: number, now: number): void {
    const at = this.read(now);
    if (amount > 0) this.log.push({ at, amount });
  }

  releasedBy(atMs: number, now: number): number {
    return this.used(now) - this.counted(Math.max(atMs, this.latest));
  }

  releaseAt(amount: number, now: number): number {
    const latest = this.read(now);
    if (amount <= 0) return latest;
    let released = 0;
    for (const use of this.log) {
      if (use.at <= latest - this.windowMs) continue;
      released += use.amount;
      if (released >= amount) return use.at + this.windowMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  forgottenAt(now: number): number {
    return this.read(now) + this.windowMs;
  }

  get usedNow(): number {
    return this.counted(this.latest);
  }

  get unchangedUntil(): number {
    const ends = this.log.map(({ at }) => at + this.windowMs).filter((end) => end > this.latest);
    return Math.min(Number.POSITIVE_INFINITY, ...ends);
  }

  amend(delta: number, stamp: number, now: number): void {
    const latest = this.read(now);
    const at = this.log.findIndex((use) => use.at === stamp);
    if (at >= 0 && stamp > latest - this.windowMs) {
      this.log[at] = { at: stamp, amount: Math.max(0, this.log[at]!.amount + delta) };
    }
  }

  copy(): PlainLog {
    const copy = new (this.constructor as typeof PlainLog)(this.capacity, this.windowMs);
    copy.log = [...this.log];
    copy.latest = this.latest;
    return copy;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }

  protected read(now: number): number {
    this.latest = Math.max(this.latest, now);
    return this.latest;
  }

  protected counted(at: number): number {
    return this.log.reduce((sum, use) => (use.at > at - this.windowMs ? sum + use.amount : sum), 0);
  }
}

/** Sixty buckets. The oldest is removed as a whole when its first instant is one window old. */
class DropsBucketsEarly extends PlainLog {
  protected override counted(at: number): number {
    const bucket = this.windowMs / 60;
    const oldest = Math.floor(at / bucket) - 59;
    return this.log.reduce((sum, use) => (Math.floor(use.at / bucket) >= oldest ? sum + use.amount : sum), 0);
  }
}

class ReleasesLate extends PlainLog {
  protected override counted(at: number): number {
    return super.counted(at - 0.01 * this.windowMs);
  }

  override releaseAt(amount: number, now: number): number {
    return super.releaseAt(amount, now) + 0.01 * this.windowMs;
  }
}

/** Estimates from two windows, as if the usage of the previous window had been evenly spread. */
class TwoWindows extends PlainLog {
  protected override counted(at: number): number {
    const start = Math.floor(at / this.windowMs) * this.windowMs;
    const weight = 1 - (at - start) / this.windowMs;
    const between = (from: number, to: number) =>
      this.log.reduce((sum, use) => (use.at >= from && use.at < to ? sum + use.amount : sum), 0);
    return between(start, Number.POSITIVE_INFINITY) + Math.floor(weight * between(start - this.windowMs, start));
  }
}

class FallsAsTimePasses extends PlainLog {
  protected override counted(at: number): number {
    return this.log.length === 0 ? 0 : super.counted(at) + (Math.floor((3 * at) / this.windowMs) % 3);
  }
}

/** Accepts every instant, so released usage returns when the clock goes back. */
class BelievesTheClock extends PlainLog {
  protected override read(now: number): number {
    this.latest = now;
    return now;
  }
}

class PromisesTooEarly extends PlainLog {
  override releaseAt(amount: number, now: number): number {
    return super.releaseAt(amount, now) - 1;
  }
}

class PromisesTooLate extends PlainLog {
  override releaseAt(amount: number, now: number): number {
    return super.releaseAt(amount, now) + 1;
  }
}

class ForeseesNothing extends PlainLog {
  override releasedBy(): number {
    return 0;
  }
}

/** Starts a window at the first read. */
class BeginsWhenRead extends PlainLog {
  #began = Number.NEGATIVE_INFINITY;

  protected override counted(at: number): number {
    if (at >= this.#began + this.windowMs) {
      this.#began = at;
      this.log = this.log.filter((use) => use.at >= at);
    }
    return super.counted(at);
  }
}

class CountsFractions extends PlainLog {
  protected override counted(at: number): number {
    return super.counted(at) * (1 + 2 ** -20);
  }
}

/** Records only amounts that fit, like a server that refuses all others. */
class RefusesTheRest extends PlainLog {
  override record(amount: number, now: number): void {
    if (amount <= this.capacity - this.used(now)) super.record(amount, now);
  }
}

class EmptyAfterResize extends PlainLog {
  override resize(limit: number, capacity: number): void {
    super.resize(limit, capacity);
    this.log = [];
  }
}

class ForgetsTooSoon extends PlainLog {
  override forgottenAt(now: number): number {
    return super.forgottenAt(now) - 0.5 * this.windowMs;
  }
}

class SteadyTooLong extends PlainLog {
  override get unchangedUntil(): number {
    return super.unchangedUntil + this.windowMs / 50;
  }
}

class AmendsTheNewest extends PlainLog {
  override amend(delta: number, _stamp: number, now: number): void {
    const newest = this.log.at(-1);
    if (newest !== undefined) super.amend(delta, newest.at, now);
  }
}

class SharesItsLog extends PlainLog {
  override copy(): PlainLog {
    const copy = new SharesItsLog(this.capacity, this.windowMs);
    copy.log = this.log;
    copy.latest = this.latest;
    return copy;
  }
}

const subjectOf = (make: new (capacity: number, windowMs: number) => Tracker): Subject => ({
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs) => new make(capacity, windowMs),
  bounds(uses, now, _capacity, windowMs) {
    const since = (from: number) => uses.reduce((sum, { at, amount }) => (at > from ? sum + amount : sum), 0);
    return [since(now - windowMs), since(now - windowMs * (1 + RESOLUTION_LATE))];
  },
});

const MEMORY: LawName = "uses no more memory after a million uses";

describe("a plain log", () => {
  // The laws belong to the contract, not to one implementation.
  it.each(LAW_NAMES.filter((law) => law !== MEMORY))("a plain log satisfies the law: %s", (law) =>
    LAWS[law](subjectOf(PlainLog)),
  );

  it("a plain log violates only the law about memory", () => {
    expect(() => LAWS[MEMORY](subjectOf(PlainLog))).toThrow(/bytes more/);
  });
});

describe("the contract catches", () => {
  it.each<[string, new (capacity: number, windowMs: number) => Tracker, LawName]>([
    ["drops its oldest bucket early, and under-counts", DropsBucketsEarly, "counts the expected usage"],
    ["releases 1 % of the window late", ReleasesLate, "counts the expected usage"],
    ["estimates from two windows", TwoWindows, "counts the expected usage"],
    ["falls as time passes", FallsAsTimePasses, "only releases as time passes"],
    ["counts backwards time", BelievesTheClock, "does not move back with a clock that goes back"],
    ["announces a release 1 ms early", PromisesTooEarly, "reports the exact millisecond of a release"],
    ["announces a release 1 ms late", PromisesTooLate, "reports the exact millisecond of a release"],
    ["announces no release", ForeseesNothing, "releases the announced amounts by the announced instant"],
    ["starts its window at the first read", BeginsWhenRead, "is not changed by reads"],
    [
      "counts fractions",
      CountsFractions,
      "keeps used and remaining amounts integers, with remaining from 0 to the capacity",
    ],
    ["ignores amounts that do not fit", RefusesTheRest, "reduces the remaining amount by the recorded amount, or to 0"],
    ["announces no change for too long", SteadyTooLong, "stays unchanged for the announced time"],
    [
      "corrects the newest amount instead of the right one",
      AmendsTheNewest,
      "applies a correction as if the amount had been right from the beginning",
    ],
    ["shares its log with its copy", SharesItsLog, "has independent copies"],
    ["is empty after a resize", EmptyAfterResize, "keeps its usage when it is resized"],
    ["releases too late", ForgetsTooSoon, "releases everything that was recorded, by the announced instant"],
  ])("the contract catches a tracker that %s", (_, broken, law) => {
    expect(() => LAWS[law](subjectOf(broken))).toThrow();
  });
});
