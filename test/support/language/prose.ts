import ts from "typescript";

/** A piece of text that people read, with the line on which it starts. */
export interface Prose {
  readonly line: number;
  readonly text: string;
}

const TITLE_FUNCTIONS: ReadonlySet<string> = new Set(["it", "test", "describe"]);
const FENCE = /^\s*(`{3,})/;

/** The prose of a Markdown text: paragraphs, list items, table rows, and the comments of its code blocks. */
export function markdownProse(text: string): readonly Prose[] {
  const pieces: Prose[] = [];
  let closing: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = FENCE.exec(line)?.[1];
    if (fence !== undefined && (closing === undefined || fence.startsWith(closing))) {
      closing = closing === undefined ? fence : undefined;
    } else if (closing === undefined) {
      pieces.push({ line: index + 1, text: withoutCode(line.replace(/^[\s>#*-]*/, "")) });
    } else {
      const comment = /(?:^|\s)\/\/ (.*)$/.exec(line)?.[1];
      if (comment !== undefined) pieces.push({ line: index + 1, text: withoutCode(comment) });
    }
  }
  return pieces.filter((piece) => piece.text.trim() !== "");
}

/** The prose of a TypeScript text: comments, titles of tests, and, if `withMessages`, strings of three words and more. */
export function sourceProse(text: string, withMessages: boolean): readonly Prose[] {
  const file = ts.createSourceFile("file.ts", text, ts.ScriptTarget.ES2022, true);
  const pieces = new Map<number, Prose>();
  const add = (position: number, prose: string): void => {
    const line = file.getLineAndCharacterOfPosition(position).line + 1;
    pieces.set(position, { line, text: withoutCode(prose) });
  };
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      add(pos, commentText(text.slice(pos, end)));
    }
    for (const { pos, end } of ts.getTrailingCommentRanges(text, node.end) ?? []) {
      add(pos, commentText(text.slice(pos, end)));
    }
    const isTitle = ts.isCallExpression(node) && TITLE_FUNCTIONS.has(calledName(node.expression));
    const [first] = isTitle ? node.arguments : [];
    if (first !== undefined) for (const piece of stringsOf(first)) add(piece.getStart(file), piece.text);
    if (withMessages && isString(node) && /\S+\s+\S+\s+\S/.test(node.text)) add(node.getStart(file), node.text);
    for (const child of node.getChildren(file)) visit(child);
  };
  visit(file);
  return joinLineComments([...pieces.values()].sort((a, b) => a.line - b.line));
}

/** The number of words of a text. */
export function wordCount(text: string): number {
  return text.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
}

type StringPiece =
  | ts.StringLiteral
  | ts.NoSubstitutionTemplateLiteral
  | ts.TemplateHead
  | ts.TemplateMiddle
  | ts.TemplateTail;

function isString(node: ts.Node): node is StringPiece {
  return (
    ts.isStringLiteral(node) ||
    ts.isNoSubstitutionTemplateLiteral(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddle(node) ||
    ts.isTemplateTail(node)
  );
}

function stringsOf(node: ts.Node): readonly StringPiece[] {
  if (isString(node)) return [node];
  if (!ts.isTemplateExpression(node)) return [];
  return [node.head, ...node.templateSpans.map(({ literal }) => literal)];
}

/** The name at the start of a call such as `test.each(rows)(...)`. */
function calledName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return calledName(node.expression);
  return "";
}

function commentText(comment: string): string {
  const inside = comment.startsWith("//") ? comment.slice(2) : comment.replace(/^\/\*+|\*+\/$/g, "");
  return inside
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trim())
    .join(" ")
    .replace(/```.*?```/g, " ")
    .trim();
}

/** Line comments on consecutive lines are one text. */
function joinLineComments(pieces: readonly Prose[]): readonly Prose[] {
  const joined: { line: number; text: string }[] = [];
  let last = -1;
  for (const { line, text } of pieces) {
    const previous = joined.at(-1);
    // A sentence goes on in lower case.
    if (previous !== undefined && line === last + 1 && /^[a-z]/.test(text)) previous.text += ` ${text}`;
    else joined.push({ line, text });
    last = line;
  }
  return joined;
}

/** Code, link targets and HTML comments are not prose. */
function withoutCode(text: string): string {
  return text
    .replace(/<!--.*?-->/g, " ")
    .replace(/`[^`]*`/g, "`")
    .replace(/\]\([^)]*\)/g, "]")
    .trim();
}
