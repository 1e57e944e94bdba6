import type { Dimension } from "../api/dimension.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { WindowSpec } from "../api/window.ts";

/** What configuration may say in one profile: the words it knows, and the keys that have no meaning in it. */
export interface Vocabulary {
  readonly dimensions: readonly Dimension[];
  readonly statuses: readonly StatusClass[];
  /** Kinds of windows: the four that have a name, any length, calendar periods. */
  readonly windows: readonly ("named" | "seconds" | "calendar")[];
  /** What a quota without `window` means; null: it must say one. */
  readonly windowByDefault: WindowSpec | null;
  /** Keys that other profiles know and this one refuses, wherever they stand. */
  readonly without: readonly string[];
  /** Ends the sentence "expected nothing". */
  readonly why: string;
}
