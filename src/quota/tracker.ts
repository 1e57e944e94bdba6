/**
 * Counts the usage of one quota. A tracker has no clock: callers pass the instant (ms) to every method, and an instant
 * before the latest one counts as the latest. Amounts are whole numbers >= 0. The amount that can be granted is
 * `capacity - used`.
 *
 * All trackers pass one contract suite. Recording `a` adds `a` to `used`. Time alone only releases. `releaseAt` is the first
 * millisecond at which an amount is released, never too early.
 *
 * A tracker that leases reserve from also has `amend` and `copy`. The concurrency counter and the bucket of the classic
 * profile have neither.
 */
export interface Tracker {
  /** Equals `used(now)` at every instant before `unchangedUntil`; for readers on the hot path. */
  readonly usedNow: number;
  /** Time alone does not change `usedNow` before this instant. -Infinity: `usedNow` is never valid, call `used`. */
  readonly unchangedUntil: number;
  /** Largest amount that can be in use simultaneously: the limit in force. */
  readonly capacity: number;
  /** Amount per ms that is released evenly. 0: every amount is released at an instant of its own. */
  readonly refillPerMs: number;
  /** Usage now, rounded up to a whole number. It exceeds `capacity` if more was recorded than fits. */
  used(now: number): number;
  /** Counts `amount` at `now`. */
  record(amount: number, now: number): void;
  /** Part of the usage now that is released by `atMs`. */
  releasedBy(atMs: number, now: number): number;
  /** First instant at which at least `amount` of the usage now is released. Infinity: never by time alone. */
  releaseAt(amount: number, now: number): number;
  /** Instant by which an amount that is recorded now is certainly released. Infinity: unknown. */
  forgottenAt(now: number): number;
  /** Changes the limit and keeps the usage. */
  resize(limit: number, capacity: number, now: number): void;
  /** Adds `delta`, which can be negative, to the amount recorded at `countedAt`, unless that is released already. */
  amend?(delta: number, countedAt: number, now: number): void;
  /** Returns an independent tracker with the same usage; for forecasts. */
  copy?(): Tracker;
  /** Usage as numbers >= 0 for a snapshot, with ages instead of instants. */
  save?(now: number): number[];
  /**
   * Sets the usage of a new tracker: `saved` at the instant `savedAt`, and the amount `open` at `openAt`. Any numbers >= 0 are
   * safe.
   */
  restore?(saved: readonly number[], open: number, openAt: number, savedAt: number, now: number): void;
  /** Returns the next two resets; only for a tracker that releases everything simultaneously. */
  resets?(now: number): Resets;
}

/** Ends of the current and of the next fixed window. */
export interface Resets {
  readonly at: number;
  readonly nextAt: number;
  /** True if these are the provider's own resets, and not periods counted from the declaration. */
  readonly isKnown: boolean;
  /** Milliseconds after which the resets have to be read again, because a wall clock can be set. Infinity: never. */
  readonly reviewMs: number;
}
