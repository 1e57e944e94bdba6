import type { Dimension } from "./dimension.ts";
import type { StatusClass } from "./status-class.ts";
import type { WindowSpec } from "./window.ts";

/** What configuration may say in one profile: the words it knows, and the keys that have no meaning in it. */
export interface Dialect {
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
