import type { Dimension } from "./dimension.ts";
import type { StatusClass } from "./status-class.ts";
import type { WindowSpec } from "./window.ts";

/** What configuration may say in one profile: the words it knows, and the keys that have no meaning in it. */
export interface Dialect {
  readonly dimensions: readonly Dimension[];
  readonly statuses: readonly StatusClass[];
  /** Whether windows are the four named ones, or any length and calendar period as well. */
  readonly windows: "named" | "any";
  /** What a quota without `window` means; null: it must say one. */
  readonly windowByDefault: WindowSpec | null;
  /** Keys that are refused with `why`, by the object that they stand in. */
  readonly without: { readonly [place in "options" | "provider" | "quota" | "health" | "select"]: readonly string[] };
  readonly why: string;
}
