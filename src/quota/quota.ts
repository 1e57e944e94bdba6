import type { QuotaSnapshot } from "../api/snapshot.ts";
import type { BurnMeter } from "./burn-rate.ts";
import { CONCURRENCY, REQUESTS } from "./dimension-index.ts";
import { exhaustedInMs } from "./exhaustion.ts";
import { CALM_SHARE, horizonMs, pressureOf } from "./pressure.ts";
import type { QuotaReading } from "./quota-reading.ts";
import { kindOf, type QuotaSpec } from "./quota-spec.ts";
import { type Mark, type Report, ReportedLimits } from "./reported-limits.ts";
import { Account, Reservation } from "./reservation.ts";
import type { Tracker } from "./tracker.ts";
import { longestMs } from "./window.ts";

/** One quota: its account, and the facts that scores and forecasts read. */
export class Quota extends Account {
  /** Name of the pool that it belongs to; null: the provider's own. */
  readonly pool: string | null;
  /** Key whose calls it limits; null: it limits a provider or a pool. */
  fairnessKey: string | null = null;
  readonly #horizonMs: number;
  readonly #horizonSeconds: number;
  /** True if a lease keeps its amount reserved until it ends, so that time alone never counts it. */
  readonly isHeldToEnd: boolean;
  /** True if it counts requests or places, whatever their size. */
  readonly isOfRequests: boolean;
  // As of the latest `read`: the remaining amount, and the share of it that pressure leaves.
  #left = 0;
  #calm = 1;
  /** The quota that it inherited usage from, until the leases have migrated; null: none. */
  inheritedFrom: Quota | null = null;

  constructor(spec: QuotaSpec, pool: string | null, tracker: Tracker, burn: BurnMeter) {
    super(spec, tracker, burn);
    this.pool = pool;
    this.isHeldToEnd = spec.countsAtEnd || spec.strategy === "concurrency";
    this.isOfRequests = spec.index === REQUESTS || spec.index === CONCURRENCY;
    this.#horizonMs = spec.strategy === "concurrency" ? 0 : horizonMs(spec.windowMs ?? Infinity);
    this.#horizonSeconds = this.#horizonMs / 1_000;
  }

  /**
   * Reserves `amount` at `now` for a lease that was granted at `grantedAt`. `scheduledAt` is when it will be committed if
   * nothing more is heard; Infinity: unknown.
   */
  reserve(amount: number, variance: number, grantedAt: number, now: number, scheduledAt: number): Reservation<Quota> {
    return new Reservation<Quota>(this, amount, variance, grantedAt, now, scheduledAt);
  }

  /** The reservation of an open lease which this quota counts already, from `countedFrom` on. */
  adopt(amount: number, variance: number, grantedAt: number, countedFrom: number): Reservation<Quota> {
    return new Reservation<Quota>(this, amount, variance, grantedAt, countedFrom, Infinity, countedFrom);
  }

  /**
   * Lowers `reading` to the rest of this quota, and to the share of it that pressure leaves. Returns the instant until which
   * time alone changes nothing of that, and of `shareAfter`; -Infinity: it changes at every instant.
   */
  read(reading: QuotaReading, now: number): number {
    const { tracker } = this;
    if (this.reported !== null && now >= this.reported.limitUntil) {
      this.reported.limit = Infinity;
      this.#fitLimit(now);
    }
    const { capacity } = tracker;
    const taken = this.taken(now);
    let validUntil = tracker.unchangedUntil;
    if (this.reported !== null) validUntil = Math.min(validUntil, this.reported.unchangedUntil(now));
    const left = capacity > taken ? capacity - taken : 0;
    this.#left = left;
    this.#calm = 1;
    // Rates only fall until the next amount, and time only releases: a quota without pressure stays without it.
    if (left > 0 && taken + this.burn.bound * this.#horizonSeconds > CALM_SHARE * capacity) {
      const pressure = this.#pressure(taken, now);
      this.#calm = 1 - pressure;
      if (pressure > 0) validUntil = -Infinity;
    }
    const share = left > 0 ? (left / capacity) * this.#calm : 0;
    if (share < reading.quotaScore) reading.quotaScore = share;
    if (this.isOfRequests) {
      if (left < reading.requestsLeft) reading.requestsLeft = left;
    } else {
      if (left < reading.sizeLeft) reading.sizeLeft = left;
      if (capacity < reading.leastSize) reading.leastSize = capacity;
      if (this.estimateVariance > reading.openVariance) reading.openVariance = this.estimateVariance;
    }
    return validUntil;
  }

  /** Share of the limit, 0 to 1, that a request of that amount leaves, reduced by pressure. As of the latest `read`. */
  shareAfter(amount: number): number {
    // A single request costs nothing. Otherwise a limit of two a minute, or one place, would always lose.
    const left = this.#left - (this.isOfRequests ? Math.max(0, amount - 1) : amount);
    return left > 0 ? (left / this.tracker.capacity) * this.#calm : 0;
  }

  /** 0 calm to 1 running out; see pressure.ts. Bounds show for less where it is 0. */
  #pressure(taken: number, now: number): number {
    const { capacity } = this.tracker;
    const seconds = this.#horizonSeconds;
    const at = now + this.#horizonMs;
    let rest = this.ownTaken(now) - this.tracker.releasedBy(at, now);
    if (this.reported !== null) rest = this.reported.taken(at, rest);
    if (pressureOf(rest + this.burn.bound * seconds, taken, capacity) === 0) return 0;
    return pressureOf(rest + this.burn.perSecond(now) * seconds, taken, capacity);
  }

  /**
   * True if the instant at which a demand fits changes only when something is counted or reserved. Resets are searched
   * again with the wall clock, and an even refill has no instants of its own.
   */
  get isFixedInTime(): boolean {
    const { strategy } = this.spec;
    return (
      this.reserved === 0 && this.reported === null && (strategy === "sliding_window" || strategy === "concurrency")
    );
  }

  /** Share of the quota that is left, 0 to 1. */
  ratio(now: number): number {
    const { capacity } = this.tracker;
    return capacity === 0 ? 0 : Math.max(0, 1 - this.taken(now) / capacity);
  }

  /** Time (ms) in which the burn rate fills the quota; Infinity: it never does. */
  exhaustedInMs(now: number): number {
    const taken = this.taken(now) - this.tracker.used(now);
    return exhaustedInMs(this.tracker, taken, this.burn.perSecond(now), now);
  }

  /** Changes the limit and keeps what is counted. */
  resize(spec: QuotaSpec, now: number): void {
    this.spec = spec;
    this.#fitLimit(now);
    this.changed();
  }

  /** Applies a report of a request of the amount `own`; true if it contains the request (see reported-limits.ts). */
  applyReport(report: Report, mark: Mark | null, own: number, grantedAt: number, now: number): boolean {
    const { spec, tracker } = this;
    // A burst is neither the limit nor what a reset restores.
    const hasResets = spec.strategy !== "concurrency" && spec.capacity === spec.limit;
    this.reported ??= new ReportedLimits(tracker.used(now), this.reserved, longestMs(spec.window), hasResets);
    const { reported } = this;
    if (spec.capacity === spec.limit && reported.applyLimit(report, grantedAt)) this.#fitLimit(now);
    const known = hasResets ? report : { ...report, limit: undefined };
    const isCovered = reported.apply(
      known,
      mark ?? reported.earlierMark(this.ownTaken(now)),
      own,
      grantedAt,
      this.capacity,
      now,
    );
    this.changed();
    return isCovered;
  }

  /** Applies a report of a request without a lease. */
  applyObserved(report: Report, amount: number, now: number): boolean {
    const mark = this.reported?.mark(this.ownTaken(now) + amount) ?? null;
    return this.applyReport(report, mark, amount, now, now);
  }

  /** Sets the limit in force: the declared one, or a lower one that was reported. */
  #fitLimit(now: number): void {
    const { limit, capacity, windowMs } = this.spec;
    const most = this.reported?.limit ?? Infinity;
    this.tracker.resize(Math.min(limit, most), Math.min(capacity, most), now);
    if (this.reported !== null) this.reported.ratePerMs = Math.min(limit, most) / (windowMs ?? Infinity);
  }

  /** Its usage, burn rate and reported limits for a snapshot. Reserved amounts are saved as open. */
  save(now: number): QuotaSnapshot {
    const { key, windowMs } = this.spec;
    const [usage, burn] = [this.tracker.save?.(now) ?? [], this.burn.save?.(now) ?? []];
    const { reserved: open, reported } = this;
    const used = Math.min(this.tracker.used(now) + open, Number.MAX_SAFE_INTEGER);
    return {
      key,
      kind: kindOf(this.spec),
      windowMs,
      used,
      open,
      usage,
      burn,
      reported: reported?.save(now) ?? null,
    };
  }

  /** Restores a snapshot of the same kind of quota into a new one. `openAt`: see `Tracker.restore`. */
  restore(saved: QuotaSnapshot, openAt: number, savedAt: number, now: number): void {
    this.tracker.restore?.(saved.usage, Math.ceil(saved.open), openAt, savedAt, now);
    this.burn.restore?.(saved.burn, savedAt);
    if (saved.reported === null) return;
    const hasResets = this.spec.strategy !== "concurrency" && this.spec.capacity === this.spec.limit;
    this.reported = new ReportedLimits(this.tracker.used(now), 0, longestMs(this.spec.window), hasResets);
    this.reported.restore(saved.reported, savedAt);
    this.#fitLimit(now);
  }

  /** Counts the usage of another quota as if it had been recorded now. */
  inheritUsage(from: Quota, now: number): void {
    this.inheritedFrom = from;
    this.tracker.record(from.tracker.used(now), now);
    this.changed();
  }
}
