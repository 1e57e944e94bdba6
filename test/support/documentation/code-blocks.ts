/** A fenced `ts` block of the documentation. */
export interface CodeBlock {
  /** Path relative to the repository. */
  readonly file: string;
  /** Line of the file on which the code starts, from 1. */
  readonly line: number;
  readonly code: string;
  /** False for a block marked `ts no-run`, which must compile and is not run. */
  readonly runs: boolean;
  /** True in a docstring, which can use the names of the package without an import. */
  readonly inDocstring: boolean;
}

const FENCE = /^(\s*)(`{3,})\s*([^`]*)$/;
// Code in these languages would neither run nor be checked.
const UNCHECKED = new Set(["typescript", "javascript", "js", "jsx", "tsx", "mts", "cts", "mjs", "cjs"]);

/** Returns the `ts` blocks of a Markdown text. Throws for a block without an end and for code in another language. */
export function markdownBlocks(file: string, text: string): readonly CodeBlock[] {
  return fencedBlocks(file, text.split("\n"), false);
}

/**
 * Returns the `ts` blocks of all docstrings in a source text. Throws for an `@example` without a block. The text after
 * the tag on its line is the title of the example.
 */
export function docstringBlocks(file: string, source: string): readonly CodeBlock[] {
  const lines = source.split("\n").map(() => "");
  for (const comment of source.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const first = source.slice(0, comment.index).split("\n").length - 1;
    const inside = comment[0].split("\n").map((line) => line.replace(/^\s*(?:\/\*\*|\*\/|\*)\s?|\s*\*\/$/g, ""));
    for (const [index, line] of inside.entries()) {
      lines[first + index] = line;
      if (line.startsWith("@example") && !FENCE.test(inside[index + 1] ?? "")) {
        throw new Error(`${file}:${first + index + 1}: expected a fenced block below @example`);
      }
    }
  }
  return fencedBlocks(file, lines, true);
}

function fencedBlocks(file: string, lines: readonly string[], inDocstring: boolean): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let start = 0;
  while (start < lines.length) {
    const opening = FENCE.exec(lines[start]!);
    if (opening === null) {
      start += 1;
      continue;
    }
    const [, indent = "", ticks = "", info = ""] = opening;
    const end = lines.findIndex((line, index) => index > start && isClosing(line, ticks));
    if (end === -1) throw new Error(`${file}:${start + 1}: this block is never closed`);
    const [language = "", ...marks] = info.trim().split(/\s+/);
    if (UNCHECKED.has(language))
      throw new Error(`${file}:${start + 1}: expected code to be marked ts, got ${language}`);
    if (language === "ts") {
      const unknown = marks.filter((mark) => mark !== "no-run");
      if (unknown.length > 0) throw new Error(`${file}:${start + 1}: unknown mark ${unknown.join(" ")}`);
      const code = lines
        .slice(start + 1, end)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
      blocks.push({ file, line: start + 2, code: code.join("\n"), runs: marks.length === 0, inDocstring });
    }
    start = end + 1;
  }
  return blocks;
}

function isClosing(line: string, ticks: string): boolean {
  const trimmed = line.trim();
  return trimmed.startsWith(ticks) && /^`+$/.test(trimmed);
}
