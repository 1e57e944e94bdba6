import { ClassicBucket } from "../../src/classic/classic-bucket.ts";
import { EngineTime } from "../../src/clock/engine-time.ts";
import { alignedWindows, calendarPeriods, everyWindow } from "../../src/clock/reset-schedule.ts";
import { Concurrency } from "../../src/quota/concurrency.ts";
import { FixedWindow } from "../../src/quota/fixed-window.ts";
import { SlidingWindow } from "../../src/quota/sliding-window.ts";
import { TokenBucket } from "../../src/quota/token-bucket.ts";
import { describeTracker } from "../support/tracker-contract.ts";
import type { Use } from "../support/usage-history.ts";

const DAY_MS = 86_400_000;
const EPOCH_MS = Date.UTC(2026, 5, 16, 9, 30);
// "Released at most 0.2 % of the window late".
const LATE = 0.002;

const total = (uses: readonly Use[]): number => uses.reduce((sum, { amount }) => sum + amount, 0);

/** A wall clock with the reading `EPOCH_MS` at 0. */
function wallTime(): EngineTime {
  return new EngineTime({ now: () => 0, epochNow: () => EPOCH_MS });
}

/** The usage since the latest reset. One of the resets is at `anchorMs`. */
function sinceReset(uses: readonly Use[], now: number, anchorMs: number, windowMs: number): [number, number] {
  const windowOf = (at: number) => Math.floor((at - anchorMs) / windowMs);
  const used = total(uses.filter(({ at }) => windowOf(at) === windowOf(now)));
  return [used, used];
}

describeTracker("the sliding window", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs) => new SlidingWindow(capacity, windowMs),
  bounds: (uses, now, _capacity, windowMs) => [
    total(uses.filter(({ at }) => at > now - windowMs)),
    total(uses.filter(({ at }) => at > now - windowMs * (1 + LATE))),
  ],
});

describeTracker("the fixed window, from its declaration", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs, startMs) => new FixedWindow(capacity, everyWindow(startMs, windowMs), startMs),
  bounds: (uses, now, _capacity, windowMs, startMs) => sinceReset(uses, now, startMs, windowMs),
});

describeTracker("the fixed window with a known reset", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs, startMs) =>
    new FixedWindow(capacity, alignedWindows(EPOCH_MS - 777.25, windowMs, wallTime()), startMs),
  bounds: (uses, now, _capacity, windowMs) => sinceReset(uses, now, -777.25, windowMs),
});

describeTracker("the fixed window of a calendar day", {
  windowsMs: [DAY_MS],
  make: (capacity, _windowMs, startMs) => new FixedWindow(capacity, calendarPeriods("day", "UTC", wallTime()), startMs),
  bounds: (uses, now) => sinceReset(uses, now, -(EPOCH_MS % DAY_MS), DAY_MS),
});

/** A bucket in integers: levels times the window, instants in ticks. */
function bucketUsed(
  uses: readonly Use[],
  now: number,
  limit: number,
  windowMs: number,
  burst: number,
  least: number,
): number {
  const ticks = (ms: number) => BigInt(ms * 1_024);
  const scale = ticks(windowMs);
  const full = BigInt(burst) * scale;
  let level = full;
  let last = uses[0]?.at ?? now;
  for (const { at, amount } of [...uses, { at: now, amount: 0 }]) {
    level += (ticks(at) - ticks(last)) * BigInt(limit);
    if (level > full) level = full;
    level -= BigInt(amount) * scale;
    if (level < BigInt(least) * scale) level = BigInt(least) * scale;
    last = at;
  }
  // Rounded up, because the remaining amount is rounded down.
  const left = level >= 0n ? level / scale : -((-level + scale - 1n) / scale);
  return Number(BigInt(burst) - left);
}

describeTracker("the token bucket", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs) => new TokenBucket(capacity, windowMs, capacity),
  // A debt beyond one burst can be kept or not, because no server would have granted it.
  bounds: (uses, now, capacity, windowMs) => [
    bucketUsed(uses, now, capacity, windowMs, capacity, -capacity),
    bucketUsed(uses, now, capacity, windowMs, capacity, Number.MIN_SAFE_INTEGER),
  ],
});

describeTracker("the token bucket that holds a third of what it refills in a window", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs) => new TokenBucket(3 * capacity, windowMs, capacity),
  bounds: (uses, now, capacity, windowMs) => [
    bucketUsed(uses, now, 3 * capacity, windowMs, capacity, -capacity),
    bucketUsed(uses, now, 3 * capacity, windowMs, capacity, Number.MIN_SAFE_INTEGER),
  ],
  without: {
    "keeps its usage when it is resized": "the suite resizes the limit with the burst, and here they differ",
  },
});

describeTracker("the concurrency counter", {
  windowsMs: [1_000],
  make: (capacity) => new Concurrency(capacity),
  bounds: (uses) => [total(uses), total(uses)],
  without: {
    "releases everything that was recorded, by the announced instant":
      "a place is taken until it is given back, however long that takes",
  },
});

describeTracker("the ported bucket of the classic profile", {
  windowsMs: [1_000, 60_000],
  make: (capacity, windowMs, startMs) => new ClassicBucket(capacity, windowMs, startMs),
  // Floats as in Python: a sum can be slightly below a whole token.
  bounds(uses, now, capacity, windowMs) {
    const used = bucketUsed(uses, now, capacity, windowMs, capacity, 0);
    return [Math.max(0, used - 1), used + 1];
  },
});
