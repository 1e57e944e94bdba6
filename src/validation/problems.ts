import type { Problem } from "../api/problem.ts";
import { InvalidConfig } from "../errors.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Problems of one call, all of which are reported together. */
export class Problems {
  /** Vocabulary of the profile; undefined if the checked value is the same in every profile. */
  readonly vocabulary: Vocabulary | undefined;
  readonly #problems: Problem[] = [];
  readonly #lines: string[] = [];
  // Keys and indices down to the checked value; formatted only for a problem.
  readonly #path: (string | number)[] = [];
  readonly #paths = new Set<string>();

  constructor(vocabulary?: Vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** Runs `check` on a part of the checked value. */
  at(key: string | number, check: Check, value: unknown): void {
    this.#path.push(key);
    check(value, this);
    this.#path.pop();
  }

  /** Reports the checked value as invalid. */
  add(expected: string, value: unknown): void {
    this.#add(expected, value, `expected ${expected}, got ${shown(value)}`);
  }

  /** Reports the checked key as unknown, with the nearest of the `known` ones. */
  addUnknownKey(key: string, known: readonly string[]): void {
    const near = nearest(key, known);
    const expected = near ?? known.join(", ");
    this.#add(expected, key, `unknown, ${near ? `did you mean ${near}?` : `known are ${expected}`}`);
  }

  /** Throws InvalidConfig if anything was reported. */
  throwIfAny(): void {
    if (this.#lines.length > 0) throw new InvalidConfig(this.#problems, this.#lines);
  }

  #add(expected: string, value: unknown, line: string): void {
    const path = this.#path.map(step).join("").replace(/^\./, "");
    // One problem per path: an invalid value is not also reported as inconsistent with others.
    if (this.#paths.has(path)) return;
    this.#paths.add(path);
    this.#problems.push({ path, expected, got: shown(value) });
    this.#lines.push(path ? `${path}: ${line}` : line);
  }
}

/** Reports to `problems` if `value` is invalid. */
export type Check = (value: unknown, problems: Problems) => void;

function step(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[\w$]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

const SHOWN_LETTERS = 40;

/** Short text for a value in an error message. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.slice(0, SHOWN_LETTERS)) + (value.length > SHOWN_LETTERS ? "..." : "");
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return isRecord(value) ? "an object" : String(value);
}

/** True for an object other than an array. */
export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Limits the cost of an unknown name, whatever its length and the number of known names.
const LONGEST_MISSPELT = 64;
const NAMES_READ = 1_000;
const NAMES_SHOWN = 8;

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

/** End of a message about an unknown name: the nearest known name, or the known ones. */
export function meantOf(name: unknown, known: Iterable<string>): string {
  const names = [...known];
  const near = typeof name === "string" ? nearest(name, names.slice(0, NAMES_READ)) : null;
  if (near !== null) return `, did you mean ${shown(near)}?`;
  if (names.length === 0) return ": none was declared";
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : "";
  return `: declared are ${names.slice(0, NAMES_SHOWN).map(shown).join(", ")}${more}`;
}

/** True if at most `edits` insertions, deletions, substitutions and swaps of neighbours turn `a` into `b`. */
function isWithin(a: string, b: string, edits: number): boolean {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [x, y] = [a.slice(same), b.slice(same)];
  if (x === y) return true;
  if (edits === 0) return false;
  const rest = (skippedX: number, skippedY: number) => isWithin(x.slice(skippedX), y.slice(skippedY), edits - 1);
  return rest(1, 0) || rest(0, 1) || rest(1, 1) || (x[0] === y[1] && x[1] === y[0] && rest(2, 2));
}
