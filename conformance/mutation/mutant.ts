/** One change of the code, and what came of it. */
export interface Mutant {
  readonly file: string;
  /** The declaration it is in, names from the outermost in. */
  readonly where: string;
  readonly line: number;
  /** The line of the source in which the change begins. */
  readonly code: string;
  readonly original: string;
  readonly replacement: string;
  /** The classic fixtures run the changed code. */
  readonly isReached: boolean;
  readonly fate: "caught" | "survived";
}

/** Code on one line, as lists of mutants show it. */
export function onOneLine(code: string): string {
  return code.replace(/\s+/g, " ").trim();
}

/** A mutant in words. */
export function sentenceOf({ file, line, where, original, replacement }: Mutant): string {
  return `${file}:${line} ${where}: ${onOneLine(original)} -> ${onOneLine(replacement)}`;
}
