import type { Answer } from "../typescript/fixture.ts";

/** Between this package and the Python one, which compute alike. */
export const SAME_ARITHMETIC = 1e-9;

/** Against the Rust crate, which keeps health and scores in 32 bits. */
export const SINGLE_PRECISION = 1e-5;

/** One place in which two answers are not equal. */
export interface Difference {
  /** Keys and indices from the answer down, as in `alternatives.0.1`; empty: the answer itself. */
  readonly path: string;
  readonly one: unknown;
  readonly other: unknown;
}

/**
 * Where two answers differ: numbers by more than the tolerance, which is relative above 1, everything else at all.
 * Two whole numbers must be equal: they count something.
 */
export function differencesOf(one: Answer, other: Answer, tolerance: number): Difference[] {
  const differences: Difference[] = [];
  compare(one, other, "");
  return differences;

  function compare(a: unknown, b: unknown, path: string): void {
    if (typeof a === "number" && typeof b === "number") {
      if (!isNear(a, b, tolerance)) differences.push({ path, one: a, other: b });
    } else if (isObject(a) && isObject(b) && Array.isArray(a) === Array.isArray(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
        compare(a[key], b[key], path === "" ? key : `${path}.${key}`);
      }
    } else if (a !== b) {
      differences.push({ path, one: a, other: b });
    }
  }
}

/** Equal numbers, within a tolerance that is relative above 1. */
export function isNear(a: number, b: number, tolerance: number): boolean {
  if (a === b) return true;
  if (Number.isInteger(a) && Number.isInteger(b)) return false;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null;
}

/** A difference in words; `names` are those of the two engines. */
export function described({ path, one, other }: Difference, names: readonly [string, string]): string {
  const where = path === "" ? "" : `${path}: `;
  return `${where}${names[0]} ${JSON.stringify(one)}, ${names[1]} ${JSON.stringify(other)}`;
}
