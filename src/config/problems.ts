import { InvalidConfig } from "../errors.ts";

/** One thing that was wrong in a call: where, what is allowed there, and what was given. */
export interface Problem {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** Collects every problem of one call, so that a caller mends them all at once. */
export class Problems {
  readonly #problems: Problem[] = [];
  readonly #lines: string[] = [];

  add(path: string, expected: string, value: unknown): void {
    this.#push(path, expected, shown(value), `expected ${expected}, got ${shown(value)}`);
  }

  /** A key that nothing reads; `known` are the keys that would have been. */
  addUnknownKey(path: string, key: string, known: readonly string[]): void {
    const near = nearest(key, known);
    const expected = near ?? `one of ${known.join(", ")}`;
    this.#push(
      path,
      expected,
      shown(key),
      near ? `unknown, did you mean ${near}?` : `unknown, known are ${known.join(", ")}`,
    );
  }

  get none(): boolean {
    return this.#problems.length === 0;
  }

  throwIfAny(): void {
    if (!this.none) throw new InvalidConfig(this.#problems, this.#lines);
  }

  #push(path: string, expected: string, got: string, line: string): void {
    this.#problems.push({ path, expected, got });
    this.#lines.push(path === "" ? line : `${path}: ${line}`);
  }
}

/** A value as a short piece of text for an error message. */
function shown(value: unknown): string {
  if (typeof value === "string")
    return value.length > 40 ? `${JSON.stringify(value.slice(0, 40))}...` : JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value);
  return Array.isArray(value) ? "an array" : "an object";
}

/** The known name that a typing error most likely meant, if one is near enough. */
export function nearest(name: string, known: Iterable<string>): string | null {
  // A third of the letters may differ; longer names than any sensible key are not worth the table.
  if (name.length > 64) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours between two short strings. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1);
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
