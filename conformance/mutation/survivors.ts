import { readFileSync } from "node:fs";
import { type Mutant, onOneLine, sentenceOf } from "./mutant.ts";
import type { Tried } from "./trials.ts";

/**
 * Code for what scenarios do not have: input that none can hold (a configuration that is refused, a pool, a price), or
 * output that no answer holds (the text of an error, an event).
 */
interface Outside {
  readonly file: string;
  /** Declarations, as `Class.method`, each with what is in it; missing: all of the file. */
  readonly in?: readonly string[];
  /** Parts of the lines meant; missing: all of the declaration. */
  readonly text?: readonly string[];
  readonly why: string;
}

/** A mutant that no scenario can show; in `slower`: because it does more work, or does it again, to the same end. */
interface Equivalent {
  readonly file: string;
  readonly in: string;
  readonly mutation: string;
  readonly why: string;
}

const { outside, slower, equivalent } = JSON.parse(
  readFileSync(new URL("survivors.json", import.meta.url), "utf8"),
) as {
  readonly outside: readonly Outside[];
  readonly slower: readonly Equivalent[];
  readonly equivalent: readonly Equivalent[];
};

/** The most other survivors that may be left, as a share of the mutants on code that decides answers. */
const MOST_EQUIVALENT = 0.05;

/** True if the mutant is in code for what scenarios do not have. */
export function isOutside(mutant: Mutant): boolean {
  return outside.some((entry) => covers(entry, mutant));
}

/** True if all of the file is code for what scenarios do not have. */
export function isWhollyOutside(file: string): boolean {
  return outside.some((entry) => entry.file === file && entry.in === undefined && entry.text === undefined);
}

/**
 * Prints the figures; what is wrong with the part of the list that is about these files: nothing if every survivor is on
 * it for a reason, and, of a whole run, few are.
 */
export function judgeSurvivors(mutants: readonly Tried[], files: readonly string[], isWhole: boolean): string[] {
  const inside = mutants.filter((mutant) => !isOutside(mutant));
  const survivors = inside.filter(({ fixture }) => fixture === null);
  const isListed = (list: readonly Equivalent[], mutant: Mutant) => list.some((entry) => isSame(entry, mutant));
  const others = survivors.filter((mutant) => !isListed(slower, mutant));
  const unlisted = others.filter((mutant) => !isListed(equivalent, mutant));
  const share = others.length / inside.length;
  console.log(`mutants of code that classic fixtures run: ${mutants.length}`);
  console.log(`  in code for what scenarios do not have: ${mutants.length - inside.length}`);
  console.log(`  in code for what they have: ${inside.length}`);
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
    ...(isWhole && share > MOST_EQUIVALENT ? [`over ${100 * MOST_EQUIVALENT} % of the mutants survive`] : []),
  ];
}

function covers(entry: Outside, mutant: Mutant): boolean {
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
