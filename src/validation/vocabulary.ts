import type { Dimension } from "../api/dimension.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { WindowSpec } from "../api/window.ts";

/** Words that configuration and observations can use in one profile, and keys that the profile rejects. */
export interface Vocabulary {
  readonly dimensions: readonly Dimension[];
  readonly statuses: readonly StatusClass[];
  /** Accepted kinds of windows: the four named ones, any length in seconds, calendar periods. */
  readonly windows: readonly ("named" | "seconds" | "calendar")[];
  /** Window of a quota that states none; null: a window is required. */
  readonly windowByDefault: WindowSpec | null;
  /** Keys of other profiles that this one rejects wherever they occur. */
  readonly without: readonly string[];
  /** Reason why they are rejected; completes "not allowed ...". */
  readonly why: string;
}
