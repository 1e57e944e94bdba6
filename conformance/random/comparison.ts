import type { Answer } from "../typescript/fixture.ts";

/** Tolerance between this package and the Python package, which have the same arithmetic. */
export const SAME_ARITHMETIC = 1e-9;

/** Tolerance for the Rust crate, which stores health and scores in 32 bits. */
export const SINGLE_PRECISION = 1e-5;

/** One difference between two answers. */
export interface Difference {
  /** Keys and indices of the value, as in `alternatives.0.1`. Empty: the whole answer. */
  readonly path: string;
  readonly one: unknown;
  readonly other: unknown;
}

/**
 * Returns the differences between two answers. Numbers differ if they are further apart than the tolerance, which is relative
 * above 1. Two whole numbers must be equal, because they count something. All other values must be equal too.
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

/** True if two numbers are equal within a tolerance, which is relative above 1. Two whole numbers must be equal. */
export function isNear(a: number, b: number, tolerance: number): boolean {
  if (a === b) return true;
  if (Number.isInteger(a) && Number.isInteger(b)) return false;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null;
}

/** Describes a difference. `names`: the two engines. */
export function described({ path, one, other }: Difference, names: readonly [string, string]): string {
  const where = path === "" ? "" : `${path}: `;
  return `${where}${names[0]} ${JSON.stringify(one)}, ${names[1]} ${JSON.stringify(other)}`;
}
