import type { Settlement } from "./lease.ts";
import type { StatusClass } from "./status-class.ts";

/**
 * Meaning of the end of an attempt.
 *
 * @experimental
 */
export interface Verdict {
  /** "cancelled" also for a result that no rule recognizes. */
  readonly status: StatusClass;
  /** Settlement for the lease of the attempt. */
  readonly settlement: Settlement;
  /** True if no connection was made, so that the provider certainly did no work. */
  readonly neverConnected: boolean;
  /** False for a result that no rule recognizes. */
  readonly isRecognized: boolean;
  /** False if the provider says that a repetition is pointless (`x-should-retry: false`). */
  readonly isRepeatable: boolean;
}
