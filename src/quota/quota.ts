import type { BurnMeter } from "./burn-rate.ts";
import { CONCURRENCY, REQUESTS } from "./dimension-index.ts";
import { exhaustedInMs } from "./exhaustion.ts";
import { CALM_SHARE, horizonMs, pressureOf } from "./pressure.ts";
import { REQUESTS_ROOM, SCORE, SIZES_ROOM, STANDS_UNTIL } from "./quota-reading.ts";
import type { QuotaSpec } from "./quota-spec.ts";
import { MOST_BURN, type QuotaState, STEADY_UNTIL } from "./quota-state.ts";
import { Account, Reservation } from "./reservation.ts";
import type { Tracker } from "./tracker.ts";

/** One quota in force: its declaration, its account, and what the rate of its use foretells. */
export class Quota extends Account {
  /** Name of the pool that it belongs to; null: the provider's own. */
  readonly pool: string | null;
  readonly #horizonMs: number;
  /** True if a lease keeps its amount reserved until it ends, so that time alone never counts it. */
  readonly isHeldToEnd: boolean;
  /** True if it counts requests or places, whatever their size. */
  readonly isOfRequests: boolean;
  readonly #state: QuotaState;
  /** The quota that it inherited usage from, until the leases have migrated; null: none. */
  inheritedFrom: Quota | null = null;

  /** The burn meter is one that writes to the tracker's state, if it measures anything. */
  constructor(spec: QuotaSpec, pool: string | null, tracker: Tracker, burn: BurnMeter) {
    super(spec, tracker, burn);
    this.pool = pool;
    this.#state = tracker.state;
    this.isHeldToEnd = spec.countsAtEnd || spec.strategy === "concurrency";
    this.isOfRequests = spec.index === REQUESTS || spec.index === CONCURRENCY;
    this.#horizonMs = spec.strategy === "concurrency" ? 0 : horizonMs(spec.windowMs ?? Infinity);
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
   * Lowers what is read, from place `at` on (see quota-reading.ts), to what this quota makes of it: the share that is left,
   * less what pressure takes of it, and the room.
   */
  read(reading: Float64Array, at: number, now: number): void {
    const taken = this.taken(now);
    const { capacity } = this.tracker;
    const state = this.#state;
    let share = capacity > taken ? 1 - taken / capacity : 0;
    let until = state[STEADY_UNTIL]!;
    // Rates only fall until something is counted, and more and more will have been released: no pressure, none later.
    if (share > 0 && taken + state[MOST_BURN]! * (this.#horizonMs / 1_000) > CALM_SHARE * capacity) {
      const pressure = this.#pressure(taken, now);
      share *= 1 - pressure;
      if (pressure > 0) until = -Infinity;
    }
    const left = capacity > taken ? capacity - taken : 0;
    const room = at + (this.isOfRequests ? REQUESTS_ROOM : SIZES_ROOM);
    if (share < reading[at + SCORE]!) reading[at + SCORE] = share;
    if (left < reading[room]!) reading[room] = left;
    if (until < reading[at + STANDS_UNTIL]!) reading[at + STANDS_UNTIL] = until;
  }

  /** 0 calm to 1 running out; see pressure.ts. Bounds show for less where it is 0. */
  #pressure(taken: number, now: number): number {
    const { capacity } = this.tracker;
    const seconds = this.#horizonMs / 1_000;
    const rest = taken - this.tracker.releasedBy(now + this.#horizonMs, now);
    if (pressureOf(rest + this.#state[MOST_BURN]! * seconds, taken, capacity) === 0) return 0;
    return pressureOf(rest + this.burn.perSecond(now) * seconds, taken, capacity);
  }

  /** Share of the quota that is left, 0 to 1. */
  ratio(now: number): number {
    const { capacity } = this.tracker;
    return capacity === 0 ? 0 : Math.max(0, 1 - this.taken(now) / capacity);
  }

  /** In how many ms the burn rate fills it; Infinity: it will not. */
  exhaustedInMs(now: number): number {
    return exhaustedInMs(this.tracker, this.reserved, this.burn.perSecond(now), now);
  }

  /** Changes the limit and keeps what is counted. */
  resize(spec: QuotaSpec, now: number): void {
    this.tracker.resize(spec.limit, spec.capacity, now);
    this.spec = spec;
    this.changed();
  }

  /** Counts the usage of another quota as if it had been recorded now. */
  inheritUsage(from: Quota, now: number): void {
    this.inheritedFrom = from;
    this.tracker.record(from.tracker.used(now), now);
    this.changed();
  }
}
