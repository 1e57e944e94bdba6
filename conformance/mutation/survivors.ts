import { readFileSync } from "node:fs";
import { type Mutant, onOneLine, sentenceOf } from "./mutant.ts";
import type { TrialResult } from "./trials.ts";

/**
 * Code that is out of scope for scenarios: it handles input that no scenario can have (an invalid configuration, a pool, a
 * price), or makes output that no answer has (the text of an error, an event).
 */
interface OutOfScope {
  readonly file: string;
  /** Declarations, as `Class.method`, with everything in them. Missing: the whole file. */
  readonly in?: readonly string[];
  /** Parts of the affected lines. Missing: the whole declaration. */
  readonly text?: readonly string[];
  readonly why: string;
}

/** A mutant that no scenario can show. In the list `slower`: because it only does more work for the same result. */
interface Equivalent {
  readonly file: string;
  readonly in: string;
  readonly mutation: string;
  readonly why: string;
}

const { outside, slower, equivalent } = JSON.parse(
  readFileSync(new URL("survivors.json", import.meta.url), "utf8"),
) as {
  readonly outside: readonly OutOfScope[];
  readonly slower: readonly Equivalent[];
  readonly equivalent: readonly Equivalent[];
};

/** Largest allowed share of other survivors among the mutants of code that is in scope. */
const MAX_EQUIVALENT_SHARE = 0.05;

/** True if the mutant is in code that is out of scope. */
export function isOutside(mutant: Mutant): boolean {
  return outside.some((entry) => covers(entry, mutant));
}

/** True if the whole file is out of scope. */
export function isWhollyOutside(file: string): boolean {
  return outside.some((entry) => entry.file === file && entry.in === undefined && entry.text === undefined);
}

/**
 * Prints the figures, and returns the problems of survivors.json for these files: survivors that it does not list, entries
 * that match no survivor, and (in a complete run) too many survivors.
 */
export function judgeSurvivors(mutants: readonly TrialResult[], files: readonly string[], isWhole: boolean): string[] {
  const inside = mutants.filter((mutant) => !isOutside(mutant));
  const survivors = inside.filter(({ fixture }) => fixture === null);
  const isListed = (list: readonly Equivalent[], mutant: Mutant) => list.some((entry) => isSame(entry, mutant));
  const others = survivors.filter((mutant) => !isListed(slower, mutant));
  const unlisted = others.filter((mutant) => !isListed(equivalent, mutant));
  const share = others.length / inside.length;
  console.log(`mutants of code that classic fixtures run: ${mutants.length}`);
  console.log(`  out of scope for scenarios: ${mutants.length - inside.length}`);
  console.log(`  in scope: ${inside.length}`);
  console.log(`    caught by the fixtures alone: ${inside.length - survivors.length}`);
  console.log(`    survivors that are only slower: ${survivors.length - others.length}`);
  console.log(`    other survivors: ${others.length}, ${(100 * share).toFixed(1)} %`);
  const isAsked = ({ file }: { readonly file: string }) => files.includes(file);
  const stale = [
    ...outside
      .filter((entry) => isAsked(entry) && !mutants.some((mutant) => covers(entry, mutant)))
      .map(({ file, in: where }) => `${file} ${where ?? ""}`),
    ...[...slower, ...equivalent]
      .filter((entry) => isAsked(entry) && !survivors.some((mutant) => isSame(entry, mutant)))
      .map(({ file, in: where, mutation }) => `${file} ${where}: ${mutation}`),
  ];
  return [
    ...unlisted.map((mutant) => `survives, and is not in survivors.json: ${sentenceOf(mutant)}`),
    ...stale.map((entry) => `in survivors.json, and survives nowhere: ${entry}`),
    ...(isWhole && share > MAX_EQUIVALENT_SHARE ? [`over ${100 * MAX_EQUIVALENT_SHARE} % of the mutants survive`] : []),
  ];
}

function covers(entry: OutOfScope, mutant: Mutant): boolean {
  const isWithin = (where: string) => mutant.where === where || mutant.where.startsWith(`${where}.`);
  return (
    entry.file === mutant.file &&
    (entry.in === undefined || entry.in.some(isWithin)) &&
    (entry.text === undefined || entry.text.some((part) => mutant.code.includes(part)))
  );
}

function isSame(entry: Equivalent, { file, where, original, replacement }: Mutant): boolean {
  const mutation = `${onOneLine(original)} -> ${onOneLine(replacement)}`;
  return entry.file === file && entry.in === where && entry.mutation === mutation;
}
