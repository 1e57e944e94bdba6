/** Connection of a limiter to its store. */
export interface StoreInspection {
  /** "joining": the store has not answered yet, or this process has been forgotten and joins again. */
  readonly state: "connected" | "down" | "joining";
  /** Time since the store went down; 0: it is not down. */
  readonly downMs: number;
  /** Number of processes that share the limits, this one included, as far as the store has said; at least 1. */
  readonly processes: number;
  /** Time that the last answer took; null: there was none. */
  readonly lastRoundTripMs: number | null;
}
