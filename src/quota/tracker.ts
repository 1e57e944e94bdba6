/**
 * Counts the usage of one quota. A tracker knows no clock: every method is given the instant (ms), and an instant before
 * the latest one counts as the latest. Amounts are whole numbers >= 0. The amount that can be granted is
 * `capacity - used`.
 *
 * All trackers run one contract suite: recording `a` adds `a` to `used`, time alone only releases, and `releaseAt` is the
 * first millisecond at which an amount is released, never too early.
 *
 * A tracker from which leases reserve can also be amended and copied; the counters of places and of the ports cannot.
 */
export interface Tracker {
  /** Equals `used(now)` at every instant before `unchangedUntil`, for readers on the hot path. */
  readonly usedNow: number;
  /** Time alone changes nothing of `usedNow` before this instant; -Infinity: call `used`. */
  readonly unchangedUntil: number;
  /** Largest amount that can be in use simultaneously: the limit in force. */
  readonly capacity: number;
  /** What comes back evenly, per ms; 0 where amounts are released at instants of their own. */
  readonly refillPerMs: number;
  /** What is counted now, whole, rounded up; above `capacity` where more was recorded than it holds. */
  used(now: number): number;
  /** Counts `amount` at `now`. */
  record(amount: number, now: number): void;
  /** How much of what is counted now will have been released by `atMs`. */
  releasedBy(atMs: number, now: number): number;
  /** The first instant at which at least `amount` of what is counted now is released; Infinity: never by time alone. */
  releaseAt(amount: number, now: number): number;
  /** The instant by which an amount recorded now is released; Infinity: none is certain. */
  forgottenAt(now: number): number;
  /** Changes the limit and keeps what is counted. */
  resize(limit: number, capacity: number, now: number): void;
  /** Adds `delta`, which may be negative, to what was recorded at `stamp`; nothing if that is released already. */
  amend?(delta: number, stamp: number, now: number): void;
  /** A tracker of its own that has counted the same; for looking ahead. */
  copy?(): Tracker;
  /** The next two resets, of a tracker that lets go of everything at once. */
  resets?(now: number): Resets;
}

/** When a fixed window ends, and the one after it; instants of our clock. */
export interface Resets {
  readonly at: number;
  readonly nextAt: number;
  /** True where the resets are the provider's own, and not just counted from when we began. */
  readonly isKnown: boolean;
  /** After how many ms they may be others: a wall clock may have been set; Infinity: never. */
  readonly reviewMs: number;
}
