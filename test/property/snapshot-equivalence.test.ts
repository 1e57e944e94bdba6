// A restored state answers as the original: whole limiters, and each class with a state of its own.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineTime } from "../../src/clock/engine-time.ts";
import { alignedWindows, everyWindow } from "../../src/clock/reset-schedule.ts";
import { HEALTH_DEFAULTS } from "../../src/health/health-settings.ts";
import { Ramp } from "../../src/health/ramp.ts";
import { TimedHealth } from "../../src/health/timed-health.ts";
import { GrateLimiter, MockClock, StatusClass } from "../../src/index.ts";
import { RobustMean } from "../../src/provider/robust-mean.ts";
import { SizeEstimate } from "../../src/provider/size-estimate.ts";
import { BurnRate } from "../../src/quota/burn-rate.ts";
import { Concurrency } from "../../src/quota/concurrency.ts";
import { INPUT_TOKENS, OUTPUT_TOKENS, TOKENS } from "../../src/quota/dimension-index.ts";
import { FixedWindow } from "../../src/quota/fixed-window.ts";
import { ReportedLimits } from "../../src/quota/reported-limits.ts";
import { SlidingWindow } from "../../src/quota/sliding-window.ts";
import { TokenBucket } from "../../src/quota/token-bucket.ts";
import type { Tracker } from "../../src/quota/tracker.ts";
import { unspecifiedUsage } from "../../src/quota/usage-vector.ts";
import { buildLimiter, demands, histories, trySelect } from "../support/random-limiter.ts";
import { propertyRuns } from "../support/test-effort.ts";
import { withLists } from "../support/with-lists.ts";

/** A class with a state: how to make it, change it, read it, and restore it. `shift`: the new process's clock minus the old one's. */
interface Subject<T> {
  make(now: number): T;
  change(subject: T, value: number, now: number): void;
  answers(subject: T, now: number): unknown;
  /** Saves at `savedAt`, and restores in a process with a clock that shows `savedAt + shift` then and `now` now. */
  restored(subject: T, savedAt: number, shift: number, now: number): T;
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const WINDOW_MS = 6_000;

/** Instants of the old clock become those of the new one. */
const moved = (value: unknown, shift: number): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, part) => (typeof part === "number" && key.endsWith("At") ? part + shift : part)),
  );

function describeState<T>(name: string, { make, change, answers, restored }: Subject<T>): void {
  const step = fc.record({
    afterMs: fc.constantFrom(0, 1, 5, 11, 400, 1_500, 6_000, 70_000),
    value: fc.integer({ min: 0, max: 40 }),
  });
  it(`${name}: a restored copy answers as the original`, () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(-7_000, 0, 123_456),
        fc.constantFrom(0, 7, 900, 7_000, 50_000),
        (before, after, shift, downMs) => {
          let now = 10_000;
          const original = make(now);
          for (const { afterMs, value } of before) {
            now += afterMs;
            change(original, value, now);
          }
          const savedAt = now;
          now += downMs;
          const copy = restored(original, savedAt, shift, now + shift);
          const expectSame = () =>
            expect(moved(answers(copy, now + shift), 0)).toEqual(moved(answers(original, now), shift));
          expectSame();
          for (const { afterMs, value } of after) {
            now += afterMs;
            change(original, value, now);
            change(copy, value, now + shift);
            expectSame();
          }
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  });
}

const round = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(9)) : String(value));

function describeTrackerState(name: string, make: (now: number) => Tracker, isSteady = true): void {
  describeState<Tracker>(name, {
    make,
    change: (tracker, value, now) => (isSteady ? tracker.record(value, now) : tracker.used(now)),
    answers(tracker, now) {
      const used = tracker.used(now);
      const inMs = [1, Math.ceil(used / 2), used, used + 1].map((amount) =>
        round(tracker.releaseAt(amount, now) - now),
      );
      const released = [1, 500, 5_000].map((ms) => tracker.releasedBy(now + ms, now));
      return { used, inMs, released, resetMs: (tracker.resets?.(now).at ?? now) - now };
    },
    restored(tracker, savedAt, shift, now) {
      const copy = make(now);
      copy.restore!(json(tracker.save!(savedAt)), 0, now, savedAt + shift, now);
      return copy;
    },
  });
}

describe("the state of a class", () => {
  describeTrackerState("sliding window", () => new SlidingWindow(50, WINDOW_MS));
  describeTrackerState("token bucket", () => new TokenBucket(50, WINDOW_MS, 20));
  describeTrackerState("fixed window", (now) => new FixedWindow(50, everyWindow(now, WINDOW_MS), now));
  describeTrackerState(
    "places of a previous process",
    () => {
      const places = new Concurrency(9);
      places.restore([3, 2_000], 1, 14_000, 10_000, 10_000);
      return places;
    },
    false,
  );

  it("fixed window with known resets: a restored copy answers as the original", () => {
    const epochAt = (epochNow: number) => new EngineTime({ now: () => 0, epochNow: () => epochNow });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_999 }), fc.integer({ min: 0, max: 9_000 }), (savedMs, downMs) => {
        const original = new FixedWindow(9, alignedWindows(500, WINDOW_MS, epochAt(0)), 0);
        original.record(4, savedMs);
        const copy = new FixedWindow(9, alignedWindows(500, WINDOW_MS, epochAt(savedMs + downMs)), 0);
        copy.restore(json(original.save(savedMs)), 0, -downMs, -downMs, 0);
        expect(copy.used(0)).toBe(original.used(savedMs + downMs));
        expect(copy.resets(0).at).toBe(original.resets(savedMs + downMs).at - savedMs - downMs);
      }),
      { numRuns: propertyRuns(400) },
    );
  });

  describeState("burn rate", {
    make: () => new BurnRate(),
    change: (burn, value, now) => burn.count(value, now),
    answers: (burn, now) => [round(burn.perSecond(now)), round(burn.bound)],
    restored(burn, savedAt, shift) {
      const copy = new BurnRate();
      copy.restore(json(burn.save(savedAt)), savedAt + shift);
      return copy;
    },
  });

  const terms = { cooldownSeconds: 1, maxLimitCooldownMs: 60_000 };
  const statuses = Object.values(StatusClass);
  describeState("health", {
    make: (now) => new TimedHealth(HEALTH_DEFAULTS, now),
    change(health, value, now) {
      const status = statuses[value % statuses.length]!;
      const retryAfterMs = value > 30 ? 3_000 : null;
      health.observe({ status, retryAfterMs, latencyMs: value, knownResetAt: null }, now, terms, now);
    },
    answers: (health, now) => ({
      score: round(health.score(now)),
      state: health.state(now, 0.5),
      latencyMs: health.latencyMs,
      isDead: health.isDead,
      waits: [health.cooldownUntil, health.statedUntil, health.opensAt(true), health.opensAt(false)].map((at) =>
        round(Math.max(0, at - now)),
      ),
    }),
    restored(health, savedAt, shift, now) {
      const copy = new TimedHealth(HEALTH_DEFAULTS, now);
      copy.restore(json(health.save(savedAt)), savedAt + shift);
      return copy;
    },
  });

  for (const isOfRequests of [true, false]) {
    const make = () => {
      const ramp = new Ramp();
      ramp.setLimits([{ limit: 60, windowMs: 60_000, isOfRequests }]);
      return ramp;
    };
    describeState(`ramp by ${isOfRequests ? "rate" : "requests in flight"}`, {
      make,
      change(ramp, value, now) {
        if (value < 6) ramp.limited(value + 2, now);
        else if (value < 20) ramp.succeeded(value < 12, now);
        else if (ramp.isOn(now)) ramp.take(1, now);
      },
      // Outside a ramp-up it admits everything, and its waits are not read.
      answers: (ramp, now) => [ramp.isOn(now), ramp.isOn(now) && [0, 1, 5].map((n) => round(ramp.waitMs(n, n, now)))],
      restored(ramp, savedAt, shift) {
        const copy = make();
        const saved = json(ramp.save(savedAt));
        if (saved !== null) copy.restore(saved, savedAt + shift);
        return copy;
      },
    });
  }

  describeState("robust mean", {
    make: () => new RobustMean(),
    change: (mean, value, now) => mean.add(value, now),
    answers: (mean) => [round(mean.value), round(mean.samples)],
    restored(mean, savedAt, shift) {
      const copy = new RobustMean();
      copy.restore(json(mean.save(savedAt)), savedAt + shift);
      return copy;
    },
  });

  describeState("size estimate", {
    make: () => new SizeEstimate({ isAnyKnown: false }),
    change(size, value, now) {
      const usage = unspecifiedUsage();
      if (value > 2) usage[TOKENS] = value * 7;
      if (value > 2) usage[OUTPUT_TOKENS] = value;
      size.learn(usage, { input: -1, output: -1, maxOutputTokens: Infinity }, [], now);
    },
    answers(size) {
      const usage = unspecifiedUsage();
      const isLearned = size.estimateMissing(usage, 5);
      const sizes = [usage[TOKENS], usage[INPUT_TOKENS], usage[OUTPUT_TOKENS], size.unknownAmount(100, 60_000)];
      return [isLearned, sizes, round(size.variance)];
    },
    restored(size, savedAt, shift) {
      const copy = new SizeEstimate({ isAnyKnown: false });
      copy.restore(json(size.save(savedAt)), savedAt + shift);
      return copy;
    },
  });

  it("reported limits: the limit and other users are restored, and the rest counts no less than before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 200_000 }),
        (limit, remaining, downMs) => {
          const original = new ReportedLimits(3, 0, 60_000, true);
          const report = { limit, remaining };
          original.applyLimit(report, 10);
          original.apply(report, original.earlierMark(3), 1, 10, limit, 10);
          const copy = new ReportedLimits(3, 0, 60_000, true);
          copy.restore(json(original.save(1_000)), 1_000);
          expect(copy.limit).toBe(limit);
          expect(copy.limitUntil).toBe(original.limitUntil);
          expect(copy.others(1_000 + downMs)).toBe(Math.max(0, original.others(1_000 + downMs)));
          expect(copy.taken(1_000 + downMs, 3)).toBeGreaterThanOrEqual(original.taken(1_000 + downMs, 3));
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  });
});

describe("a restored limiter", () => {
  it("answers as the uninterrupted one after a random history and any time down", () => {
    const laters = fc.constantFrom(0, 1, 500, 4_000, 61_000, 700_000);
    fc.assert(
      fc.property(histories, laters, fc.array(demands, { minLength: 1, maxLength: 4 }), (given, downMs, requests) => {
        // Ages are saved as whole milliseconds.
        const steps = given.steps.map((step) => ({ ...step, advanceMs: Math.round(step.advanceMs) }));
        const history = { ...given, steps };
        const { clock, limiter } = buildLimiter(history);
        const snapshot = json(limiter.snapshot());
        clock.advanceMs(downMs);
        const fresh = new MockClock({ startMs: 77, epochMs: clock.epochNow() });
        const { providers, minimumHealthScore } = history;
        const options = { clock: fresh, providers, minimumHealthScore, snapshot };
        const restored = withLists(new GrateLimiter(options), { chat: history.listed });
        for (const afterMs of [0, 1, 999, 30_000, 90_000]) {
          clock.advanceMs(afterMs);
          fresh.advanceMs(afterMs);
          for (const request of requests) {
            expect(comparable(trySelect(restored, request))).toEqual(comparable(trySelect(limiter, request)));
          }
        }
      }),
      { numRuns: propertyRuns(400) },
    );
  });
});

/** Answers with numbers of nine digits, because instants of another clock round differently. */
function comparable(answer: ReturnType<typeof trySelect>): unknown {
  const { decision, refusal } = answer;
  return JSON.parse(JSON.stringify({ decision, refusal }), (_, value) =>
    typeof value === "number" ? round(value) : value,
  );
}
