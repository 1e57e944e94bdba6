import type { Problem } from "../api/problem.ts";
import { InvalidConfig } from "../errors.ts";
import { listText, quoted, valueText } from "../message-text.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Declared names, as a Map or Set. */
export interface Names {
  has(name: string): boolean;
  keys(): Iterable<string>;
}

/** Problems after these are left out. Bounds the time and the message of an error about a huge object. */
const MOST_PROBLEMS = 300;

/** Problems of one call, all of which are reported together. */
export class Problems {
  /** Vocabulary of the profile; undefined if the checked value is the same in every profile. */
  readonly vocabulary: Vocabulary | undefined;
  /** Names of the providers that were checked; undefined before the first one. */
  names: Set<unknown> | undefined;
  /** Pools that a provider can name. */
  pools: Names | undefined;
  // Keys and indices down to the checked value; formatted only for a problem.
  readonly #path: (string | number)[] = [];
  readonly #problems: Problem[] = [];
  readonly #lines = new Map<string, string>();

  constructor(vocabulary?: Vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** Runs `check` on a part of the checked value. */
  at(key: string | number, check: Check, value: unknown): void {
    this.#path.push(key);
    check(value, this);
    this.#path.pop();
  }

  /** Reports the checked value as invalid. `text` is the message without the path. */
  add(expected: string, value: unknown, text?: string): void {
    if (this.isFull) return;
    const path = this.#path.map(step).join("").replace(/^\./, "");
    // One problem per path: an invalid value is not also reported as inconsistent with others.
    if (this.#lines.has(path)) return;
    const got = isPromise(value) ? "a promise; await it" : valueText(value);
    this.#problems.push({ path, expected, got });
    const line = text ?? (value === undefined ? `missing, expected ${expected}` : `expected ${expected}, got ${got}`);
    this.#lines.set(path, path ? `${path}: ${line}` : line);
  }

  /** True if further problems are left out. */
  get isFull(): boolean {
    return this.#problems.length >= MOST_PROBLEMS;
  }

  /** True if nothing was reported. */
  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  /** Throws InvalidConfig if anything was reported. */
  throwIfAny(): void {
    if (this.#lines.size > 0) throw new InvalidConfig(this.#problems, [...this.#lines.values()]);
  }
}

/** Reports to `problems` if `value` is invalid. */
export type Check = (value: unknown, problems: Problems) => void;

function isPromise(value: unknown): boolean {
  try {
    return isRecord(value) && typeof value["then"] === "function";
  } catch {
    return false;
  }
}

function step(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[\w$]+$/.test(key) ? `.${key}` : `[${quoted(key)}]`;
}

/** True for an object other than an array. */
export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Limits the cost of an unknown name, whatever its length and the number of known names.
const LONGEST_MISSPELT = 64;
const NAMES_READ = 1_000;

/** Known name that a misspelt one most likely means; null: none is similar. */
export function nearest(name: string, known: readonly string[]): string | null {
  if (name.length > LONGEST_MISSPELT) return null;
  const lower = name.toLowerCase();
  for (const edits of [0, 1, 2]) {
    // Two edits turn a short word into almost any other.
    const near = name.length >= 3 * edits && known.find((other) => isWithin(lower, other.toLowerCase(), edits));
    if (near) return near;
  }
  return null;
}

/** End of a message about an unknown name: the nearest known name, else `otherwise`. */
export function hintOf(name: unknown, known: readonly string[], otherwise: string): string {
  const near = typeof name === "string" ? nearest(name, known) : null;
  return `, ${near === null ? otherwise : `did you mean ${valueText(near)}?`}`;
}

/** End of a message about an undeclared name: the nearest declared name, else the first ones. */
export function meantOf(name: unknown, declared: Iterable<string>): string {
  const names = [...declared];
  return hintOf(name, names.slice(0, NAMES_READ), `declared: ${listText(names, valueText, ", ") || "nothing"}`);
}

/** True if at most `edits` insertions, deletions, substitutions and swaps of neighbours turn `a` into `b`. */
function isWithin(a: string, b: string, edits: number): boolean {
  if (a === b) return true;
  const rest = (skippedA: number, skippedB: number, left = edits - 1) =>
    isWithin(a.slice(skippedA), b.slice(skippedB), left);
  if (a[0] === b[0]) return rest(1, 1, edits);
  if (edits === 0) return false;
  return rest(1, 0) || rest(0, 1) || rest(1, 1) || (a[0] === b[1] && a[1] === b[0] && rest(2, 2));
}
