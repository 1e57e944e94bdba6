import { enclosingName } from "./source-places.ts";
import type { Variant } from "./variant-player.ts";

/** One change of code that the classic fixtures run. */
export interface Mutant {
  readonly file: string;
  /** Enclosing declaration, as `Class.method`. */
  readonly where: string;
  readonly line: number;
  /** Source line in which the change begins. */
  readonly code: string;
  readonly original: string;
  readonly replacement: string;
}

/** A mutant, and the variant of the engine with it. */
export interface Candidate {
  readonly mutant: Mutant;
  readonly variant: () => Promise<Variant>;
}

/** Returns the mutant at a position of a source. */
export function mutantAt(
  { file, source, place }: { readonly file: string; readonly source: string; readonly place: number },
  original: string,
  replacement: string,
): Mutant {
  const line = source.slice(0, place).split("\n").length;
  return { file, where: enclosingName(source, place), line, code: lineAt(source, place), original, replacement };
}

/** Returns the source line at a position. */
export function lineAt(source: string, place: number): string {
  const start = source.lastIndexOf("\n", place - 1) + 1;
  const end = source.indexOf("\n", place);
  return source.slice(start, end < 0 ? source.length : end);
}

/** Returns code on one line, as lists of mutants show it. */
export function onOneLine(code: string): string {
  return code.replace(/\s+/g, " ").trim();
}

/** Describes a mutant on one line. */
export function sentenceOf({ file, line, where, original, replacement }: Mutant): string {
  return `${file}:${line} ${where}: ${onOneLine(original)} -> ${onOneLine(replacement)}`;
}
