import type { QuotaForecast } from "../api/quota-forecast.ts";
import { wholeMsUntil } from "../clock/whole-ms.ts";
import type { BurnMeter } from "./burn-rate.ts";
import { CONCURRENCY, REQUESTS } from "./dimension-index.ts";
import { exhaustedInMs } from "./exhaustion.ts";
import { CALM_SHARE, horizonMs, pressureOf } from "./pressure.ts";
import type { QuotaReading } from "./quota-reading.ts";
import type { QuotaSpec } from "./quota-spec.ts";
import { type Holder, Holders, type Pending } from "./reservations.ts";
import type { Tracker } from "./tracker.ts";

// How far the requests of learned size that are under way may exceed it together: in standard deviations of their sum,
// with the error of the mean itself, which they share, as one of this many samples.
const GUARD_DEVIATIONS = 3;
const SAMPLES = 300;
// Resets are found anew with the wall clock, and what comes back evenly comes at no instant of its own.
const KEEPS_RELEASES: readonly string[] = ["sliding_window", "concurrency"];

/** One quota in force: what was declared, what is counted, how fast it is used, and what these foretell. */
export class Quota {
  spec: QuotaSpec;
  /** Name of the pool that it belongs to; null: the provider's own. */
  readonly pool: string | null;
  readonly tracker: Tracker;
  readonly burn: BurnMeter;
  readonly #horizonMs: number;
  /** Who draws from it, and is to know when it changes. */
  readonly dependents: { invalidate(): void }[] = [];
  /** True if a lease holds its amount until it ends, so that time alone never counts it. */
  readonly isHeldToEnd: boolean;
  /** Index of its dimension. */
  readonly index: number;
  /** True if it counts requests or places, whatever their size. */
  readonly isOfRequests: boolean;
  #inFlight = 0;
  #variance = 0;
  readonly holders: Holders = new Holders(this);
  /** Whose usage it took over, until the leases have followed; null: nobody's. */
  inheritedFrom: Quota | null = null;

  constructor(spec: QuotaSpec, pool: string | null, tracker: Tracker, burn: BurnMeter) {
    this.spec = spec;
    this.pool = pool;
    this.tracker = tracker;
    this.burn = burn;
    this.isHeldToEnd = spec.countsAtEnd || spec.strategy === "concurrency";
    this.index = spec.index;
    this.isOfRequests = spec.index === REQUESTS || spec.index === CONCURRENCY;
    this.#horizonMs = spec.strategy === "concurrency" ? 0 : horizonMs(spec.windowMs ?? Infinity);
  }

  /** What leases hold and the tracker does not count yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  remaining(now: number): number {
    const left = this.tracker.capacity - this.#taken(now);
    return left > 0 ? left : 0;
  }

  #taken(now: number): number {
    const { tracker } = this;
    return (now < tracker.unchangedUntil ? tracker.usedNow : tracker.used(now)) + this.#inFlight;
  }

  /** Something was counted, held or given back: whoever draws from it is to read it again. */
  #changed(): void {
    const { dependents } = this;
    for (let i = 0; i < dependents.length; i++) dependents[i]!.invalidate();
  }

  /**
   * Lowers `reading` to what this quota allows: its rest, and the share of it that pressure leaves. Returns the instant
   * until which time alone changes nothing of that; -Infinity: it changes at every instant.
   */
  read(reading: QuotaReading, now: number): number {
    const { tracker } = this;
    const { capacity } = tracker;
    const taken = this.#taken(now);
    let validUntil = tracker.unchangedUntil;
    const left = capacity > taken ? capacity - taken : 0;
    let share = left > 0 ? 1 - taken / capacity : 0;
    // Rates only fall until the next amount, and time only releases: a quota without pressure stays without it.
    if (left > 0 && taken + this.burn.bound * (this.#horizonMs / 1_000) > CALM_SHARE * capacity) {
      const pressure = this.#pressure(taken, now);
      share *= 1 - pressure;
      if (pressure > 0) validUntil = -Infinity;
    }
    if (share < reading.quotaScore) reading.quotaScore = share;
    if (this.isOfRequests) {
      if (left < reading.requestsLeft) reading.requestsLeft = left;
    } else {
      if (left < reading.sizeLeft) reading.sizeLeft = left;
      if (this.#variance > reading.openVariance) reading.openVariance = this.#variance;
    }
    return validUntil;
  }

  /** 0 calm to 1 running out; see pressure.ts. Bounds show for less where it is 0. */
  #pressure(taken: number, now: number): number {
    const { capacity } = this.tracker;
    const seconds = this.#horizonMs / 1_000;
    const rest = taken - this.tracker.releasedBy(now + this.#horizonMs, now);
    if (pressureOf(rest + this.burn.bound * seconds, taken, capacity) === 0) return 0;
    return pressureOf(rest + this.burn.perSecond(now) * seconds, taken, capacity);
  }

  /** Share of the quota that is left, 0 to 1. */
  ratio(now: number): number {
    const { capacity } = this.tracker;
    return capacity === 0 ? 0 : Math.max(0, 1 - this.#taken(now) / capacity);
  }

  /** Counts what a request took; true if that left nothing where there was something. */
  record(amount: number, now: number): boolean {
    if (amount <= 0) return false;
    const before = this.tracker.capacity - this.#taken(now);
    this.tracker.record(amount, now);
    this.burn.count(amount, now);
    this.#changed();
    return before > 0 && amount >= before;
  }

  /** Takes `amount` for a lease of `at`, or, where it is negative, takes it back as if it had never been; true if that left nothing where there was something. */
  hold(amount: number, now: number, at: number = now): boolean {
    if (amount === 0) return false;
    const before = this.remaining(now);
    this.burn.count(amount, now, at);
    this.free(-amount);
    return before > 0 && amount >= before;
  }

  /** A lease gives back what it held. */
  free(amount: number): void {
    this.#inFlight = Math.max(0, this.#inFlight - amount);
    this.#changed();
  }

  /** Learned amounts came under way, or ended: by so much the variance of the error of all of them changes. */
  doubt(variance: number): void {
    this.#variance = Math.max(0, this.#variance + variance);
    this.#changed();
  }

  /** Counts what was held until now: from `at` on, which is never before an earlier one. */
  stamp(amount: number, at: number): void {
    this.tracker.record(amount, at);
    this.free(amount);
  }

  /**
   * Changes by `delta` what was counted from `stamp` on; true if that left nothing where there was something. With `at`,
   * what began then turned out to be so much more.
   */
  amend(delta: number, stamp: number, now: number, at?: number): boolean {
    const before = this.remaining(now);
    if (at !== undefined) this.burn.count(delta, now, at);
    this.tracker.amend?.(delta, stamp, now);
    this.#changed();
    return before > 0 && this.remaining(now) === 0;
  }

  /**
   * In how many whole ms `amount` fits: 0 now, Infinity if time alone never makes room. Where it is a guess with a variance,
   * it leaves a margin for what it and others may be wrong by. With `isExact`, what is held is known to be counted in time.
   */
  waitMs(amount: number, variance: number, now: number, isExact: boolean): number {
    const excess = this.#excess(amount, variance, now);
    if (excess <= 0) return 0;
    const used = this.tracker.used(now);
    if (isExact && this.#inFlight > 0) {
      // What is held may yet join the newest entry, and keep it, but no older one.
      const isOld = excess < used && this.tracker.releaseAt(excess, now) < this.tracker.releaseAt(used, now);
      if (!isOld) {
        const ahead = this.tracker.copy?.() ?? this.tracker;
        return this.#waitOutMs(this.#taken(now) - excess, ahead, this.#inFlight, this.holders.pending(), now);
      }
    }
    return excess <= used ? this.#releaseInMs(excess, now) : Infinity;
  }

  /** Whether `amount` can fit by `deadline`, where each of those that are `open` may end at once, and take as little as it may. */
  mayFitBy(deadline: number, amount: number, variance: number, open: ReadonlySet<Holder>, now: number): boolean {
    let excess = this.#excess(amount, variance, now, 0);
    let held = this.#inFlight;
    const most = this.#taken(now) - excess;
    let stays = 0;
    for (const holder of open) {
      if (excess <= 0) return true;
      if (!holder.holds(this)) continue;
      const holds = holder.openOn(this);
      const back = holder.mostBack(this);
      excess -= back;
      held -= holds;
      stays += holds - back;
    }
    if (excess <= 0) return true;
    const ahead = this.tracker.copy?.() ?? this.tracker;
    for (const holder of open) {
      if (!holder.holds(this)) ahead.amend?.(-holder.mostBack(this), holder.countsFrom, now);
    }
    // What no end gives back counts from the end on.
    if (ahead !== this.tracker) ahead.record(stays, now);
    return now + this.#waitOutMs(most, ahead, held, this.holders.pending(open), now) < deadline + 1;
  }

  /** The very instant at which it fits by what is counted already; Infinity: not by that. */
  fitsAt(amount: number, variance: number, now: number): number {
    const excess = this.#excess(amount, variance, now);
    return excess <= 0 ? now : this.tracker.releaseAt(excess, now);
  }

  /** `fitsAt`, where it stands as long as nothing is counted, held or given back; NaN: it may change by itself. */
  roomAt(amount: number, variance: number, now: number): number {
    return this.#inFlight > 0 || !KEEPS_RELEASES.includes(this.spec.strategy)
      ? NaN
      : this.fitsAt(amount, variance, now);
  }

  #excess(amount: number, variance: number, now: number, doubts = this.#variance): number {
    if (amount === 0) return 0;
    const margin = variance > 0 ? this.#margin(amount, variance, doubts + variance) : 0;
    return this.#taken(now) + amount + margin - this.tracker.capacity;
  }

  #margin(amount: number, variance: number, sum: number): number {
    const margin = GUARD_DEVIATIONS * Math.sqrt(sum + sum ** 2 / (variance * SAMPLES));
    // One alone always fits.
    return Math.min(Math.ceil(margin), this.tracker.capacity - amount);
  }

  /** In how many ms no more than `most` is taken: looks on while what is pending comes to be counted and released. */
  #waitOutMs(most: number, ahead: Tracker, inFlight: number, pending: readonly Pending[], now: number): number {
    let held = inFlight;
    let latest = now;
    for (const { at, amount } of [...pending, { at: Infinity, amount: 0 }]) {
      const freeAt = ahead.releaseAt(ahead.used(latest) + held - most, latest);
      if (freeAt <= at) return Number.isFinite(freeAt) ? Math.ceil(freeAt - now) : freeAt;
      if (ahead !== this.tracker) ahead.record(amount, at);
      held -= amount;
      latest = at;
    }
    return Infinity;
  }

  /** In how many ms the burn rate fills it; Infinity: it will not. */
  exhaustedInMs(now: number): number {
    return exhaustedInMs(this.tracker, this.inFlight, this.burn.perSecond(now), now);
  }

  /** Changes the limit and keeps what is counted. */
  resize(spec: QuotaSpec, now: number): void {
    this.tracker.resize(spec.limit, spec.capacity, now);
    this.spec = spec;
    this.#changed();
  }

  /** Counts what was counted there, as if it had been now. */
  inheritUsage(from: Quota, now: number): void {
    this.inheritedFrom = from;
    this.tracker.record(from.tracker.used(now), now);
    this.#changed();
  }

  /** All that `forecast()` tells of it; times are null where none is known. */
  forecast(now: number): QuotaForecast {
    const { spec, tracker } = this;
    const used = tracker.used(now);
    const isCounter = spec.strategy === "concurrency";
    const exhaustedInMs = this.exhaustedInMs(now);
    const places = isCounter ? used : 0;
    const releaseInMs = used > 0 ? this.#releaseInMs(1, now) : Infinity;
    const isReleased = Number.isFinite(releaseInMs);
    return {
      dimension: spec.dimension,
      window: spec.window,
      pool: this.pool,
      limit: spec.limit,
      ceiling: tracker.capacity,
      ceilingSource: "config",
      used: used - places,
      inFlight: this.inFlight + places,
      remaining: this.remaining(now),
      burnPerSecond: this.burn.perSecond(now),
      exhaustedInMs: Number.isFinite(exhaustedInMs) ? exhaustedInMs : null,
      nextReleaseInMs: isReleased ? releaseInMs : null,
      nextReleaseAmount: isReleased ? tracker.releasedBy(now + releaseInMs, now) : 0,
    };
  }

  /** The first whole ms from now in which `amount` of what is used is released, however the sum of instants rounds. */
  #releaseInMs(amount: number, now: number): number {
    const { tracker } = this;
    const at = tracker.releaseAt(amount, now);
    if (tracker.refillPerMs === 0) return Math.max(1, wholeMsUntil(at, now));
    const inMs = Math.ceil(at - now);
    // What comes back evenly is a sum of floats of its own.
    const isReleased = (ms: number) => ms > 0 && tracker.releasedBy(now + ms, now) >= amount;
    return isReleased(inMs - 1) ? inMs - 1 : isReleased(inMs) ? inMs : inMs + 1;
  }
}
