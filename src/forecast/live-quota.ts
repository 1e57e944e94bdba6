import type { QuotaSpec } from "../config/quota-spec.ts";
import type { Tracker } from "../quota/tracker.ts";
import type { BurnMeter } from "./burn-rate.ts";
import { exhaustedInMs } from "./exhaustion.ts";
import { horizonMs, pressureOf } from "./pressure.ts";
import type { QuotaForecast } from "./quota-forecast.ts";

/** One quota in force: what was declared, what is counted, how fast it is used, and what these foretell. */
export class LiveQuota {
  spec: QuotaSpec;
  /** Name of the pool that it belongs to; null: the provider's own. */
  readonly pool: string | null;
  readonly tracker: Tracker;
  readonly burn: BurnMeter;
  readonly #horizonMs: number;

  constructor(spec: QuotaSpec, pool: string | null, tracker: Tracker, burn: BurnMeter) {
    this.spec = spec;
    this.pool = pool;
    this.tracker = tracker;
    this.burn = burn;
    this.#horizonMs = horizonMs(spec.windowMs ?? Number.POSITIVE_INFINITY);
  }

  remaining(now: number): number {
    return Math.max(0, this.tracker.capacity - this.tracker.used(now));
  }

  /** Share of the quota that is left, 0 to 1. */
  ratio(now: number): number {
    const { capacity } = this.tracker;
    return capacity === 0 ? 0 : Math.max(0, 1 - this.tracker.used(now) / capacity);
  }

  /** 0 calm to 1 running out; see pressure.ts. */
  pressure(now: number): number {
    if (this.spec.strategy === "concurrency") return 0;
    const used = this.tracker.used(now);
    const { capacity } = this.tracker;
    const seconds = this.#horizonMs / 1_000;
    // Most quotas are far from running out, and an upper bound of the rate shows it without an exponential.
    if (pressureOf(used + this.burn.perSecondAtMost(now) * seconds, used, capacity) === 0) return 0;
    const released = this.tracker.releasedBy(now + this.#horizonMs, now);
    return pressureOf(used - released + this.burn.perSecond(now) * seconds, used, capacity);
  }

  /** Counts what a request took; true if that left nothing where there was something. */
  record(amount: number, now: number): boolean {
    if (amount <= 0) return false;
    const before = this.remaining(now);
    this.tracker.record(amount, now);
    this.burn.record(amount, now);
    return before > 0 && amount >= before;
  }

  /** In how many whole ms `amount` fits: 0 now, Infinity if time alone never makes room. */
  waitMs(amount: number, now: number): number {
    const excess = this.tracker.used(now) + amount - this.tracker.capacity;
    return amount === 0 || excess <= 0 ? 0 : this.#releaseInMs(excess, now);
  }

  /** In how many ms the burn rate fills it; Infinity: it will not. */
  exhaustedInMs(now: number): number {
    return exhaustedInMs(this.tracker, this.burn.perSecond(now), now);
  }

  /** Changes the limit and keeps what is counted. */
  resize(spec: QuotaSpec, now: number): void {
    this.tracker.resize(spec.limit, spec.capacity, now);
    this.spec = spec;
  }

  /** All that `forecast()` tells of it; times are null where none is known. */
  forecast(now: number): QuotaForecast {
    const { spec, tracker } = this;
    const used = tracker.used(now);
    const isCounter = spec.strategy === "concurrency";
    const exhaustedInMs = this.exhaustedInMs(now);
    const releaseInMs = used > 0 ? this.#releaseInMs(1, now) : Number.POSITIVE_INFINITY;
    const isReleased = Number.isFinite(releaseInMs);
    return {
      dimension: spec.dimension,
      window: spec.window,
      pool: this.pool,
      limit: spec.limit,
      ceiling: tracker.capacity,
      ceilingSource: "config",
      used: isCounter ? 0 : used,
      inFlight: isCounter ? used : 0,
      remaining: this.remaining(now),
      burnPerSecond: this.burn.perSecond(now),
      exhaustedInMs: Number.isFinite(exhaustedInMs) ? exhaustedInMs : null,
      nextReleaseInMs: isReleased ? releaseInMs : null,
      nextReleaseAmount: isReleased ? tracker.releasedBy(now + releaseInMs, now) : 0,
    };
  }

  /** The first whole ms from now in which `amount` of what is used is released, however the sum of instants rounds. */
  #releaseInMs(amount: number, now: number): number {
    const inMs = Math.ceil(this.tracker.releaseAt(amount, now) - now);
    const isReleased = (ms: number) => ms > 0 && this.tracker.releasedBy(now + ms, now) >= amount;
    return isReleased(inMs - 1) ? inMs - 1 : isReleased(inMs) ? inMs : inMs + 1;
  }
}
