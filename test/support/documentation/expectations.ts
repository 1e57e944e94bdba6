// Turns comments that state the value of an expression into assertions. `test/package/documentation.test.ts` describes
// the convention.
import ts from "typescript";
import { expect } from "vitest";
import { parse } from "./block-module.ts";
import type { CodeBlock } from "./code-blocks.ts";

/** The name under which an instrumented block finds its `Expectations`. */
export const EXPECTATIONS = "__expectations";

/** Returns the code of a block with an assertion in place of each comment that states a value. */
export interface Instrumented {
  readonly code: string;
  /** The lines that state a value. */
  readonly lines: readonly number[];
}

type Stated =
  | { readonly kind: "value"; readonly literal: string }
  | { readonly kind: "near"; readonly digits: string }
  | { readonly kind: "throws"; readonly name: string; readonly message: string }
  | { readonly kind: "prose" };

/**
 * Throws for a comment that looks like a value and cannot be checked, and for a line that reads a value and states
 * none.
 */
export function instrument(block: CodeBlock): Instrumented {
  const { code } = block;
  const file = parse(code);
  const edits: { readonly at: number; readonly text: string }[] = [];
  const lines: number[] = [];
  const understood = new Set<number>();

  const visit = (node: ts.Node): void => {
    const statement = ts.isExpressionStatement(node) || ts.isVariableStatement(node) ? node : undefined;
    const comment = statement && trailingComment(code, statement.end);
    if (ts.isExpressionStatement(node) && comment === undefined && isMereReading(node.expression)) {
      throw complaint(node, "this line reads a value and does not say which");
    }
    if (statement !== undefined && comment !== undefined) {
      const stated = statedBy(comment.text);
      const subject = subjectOf(statement);
      understood.add(comment.at);
      if (stated.kind === "prose") {
        const couldBeMeant = ts.isExpressionStatement(statement) && !comment.text.includes(" ");
        if (couldBeMeant || (subject !== undefined && isMereReading(subject))) {
          throw complaint(statement, `not a value: ${comment.text}`);
        }
      } else {
        if (subject === undefined) throw complaint(statement, "a value is stated of something that is no expression");
        const line = lineOf(statement.end);
        lines.push(line);
        const [before, after] = assertion(stated, line, containsAwait(subject));
        edits.push({ at: subject.getStart(file), text: before }, { at: subject.end, text: after });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);

  for (const match of code.matchAll(/(?<=[;,)}\]]\s*)\/\/ ?(.*)$/gm)) {
    if (!understood.has(match.index) && statedBy(match[1]!).kind !== "prose") {
      throw new Error(`${block.file}:${lineOf(match.index)}: a value is stated of something that is no statement`);
    }
  }
  // From the end, so that no edit moves another. Of two at one place the outer one comes later in the list.
  let instrumented = code;
  for (const { at, text } of edits.sort((a, b) => b.at - a.at)) {
    instrumented = instrumented.slice(0, at) + text + instrumented.slice(at);
  }
  return { code: instrumented, lines };

  function lineOf(position: number): number {
    return block.line + file.getLineAndCharacterOfPosition(position).line;
  }
  function complaint(node: ts.Node, what: string): Error {
    return new Error(`${block.file}:${lineOf(node.getStart(file))}: ${what}`);
  }
}

/** The assertions of an instrumented block. Records the lines that were reached. */
export class Expectations {
  readonly #file: string;
  readonly #reached = new Set<number>();

  constructor(file: string) {
    this.#file = file;
  }

  value<T>(line: number, actual: T, expected: unknown): T {
    this.#reached.add(line);
    expect(actual, `${this.#file}:${line}`).toEqual(expected);
    return actual;
  }

  /** Equal in the digits that are shown. */
  near<T>(line: number, actual: T, digits: string): T {
    this.#reached.add(line);
    const places = digits.split(".")[1]?.length ?? 0;
    expect(typeof actual, `${this.#file}:${line}`).toBe("number");
    expect(Number(actual).toFixed(places), `${this.#file}:${line}`).toBe(digits);
    return actual;
  }

  throws(line: number, body: () => unknown, name: string, message: string): void {
    this.#reached.add(line);
    let thrown: unknown;
    try {
      body();
    } catch (error) {
      thrown = error;
    }
    this.#expectError(line, thrown, name, message);
  }

  async rejects(line: number, body: () => Promise<unknown>, name: string, message: string): Promise<void> {
    this.#reached.add(line);
    const thrown: unknown = await body().then(
      () => undefined,
      (error: unknown) => error,
    );
    this.#expectError(line, thrown, name, message);
  }

  /** Throws if a line that states a value was never reached, because then it proves nothing. */
  expectReached(lines: readonly number[]): void {
    const missed = lines.filter((line) => !this.#reached.has(line)).map((line) => `${this.#file}:${line}`);
    expect(missed, "lines that state a value and were never reached").toEqual([]);
  }

  #expectError(line: number, thrown: unknown, name: string, message: string): void {
    const where = `${this.#file}:${line}`;
    expect(thrown, `${where}: nothing was thrown`).toBeInstanceOf(Error);
    const error = thrown as Error;
    expect(error.name, where).toBe(name);
    expect(error.message, where).toContain(message);
  }
}

function trailingComment(code: string, end: number): { readonly at: number; readonly text: string } | undefined {
  const [range] = ts.getTrailingCommentRanges(code, end) ?? [];
  if (range?.kind !== ts.SyntaxKind.SingleLineCommentTrivia) return undefined;
  return { at: range.pos, text: code.slice(range.pos + 2, range.end).trim() };
}

/** Returns the expression that a trailing comment describes. */
function subjectOf(statement: ts.ExpressionStatement | ts.VariableStatement): ts.Expression | undefined {
  if (ts.isExpressionStatement(statement)) {
    const { expression } = statement;
    const printed =
      ts.isCallExpression(expression) && expression.expression.getText() === "console.log" ? expression.arguments : [];
    return printed.length === 1 ? printed[0] : expression;
  }
  const [declaration, ...others] = statement.declarationList.declarations;
  return others.length === 0 && ts.isIdentifier(declaration!.name) ? declaration!.initializer : undefined;
}

function isMereReading(expression: ts.Expression): boolean {
  return (
    ts.isIdentifier(expression) ||
    ts.isPropertyAccessExpression(expression) ||
    ts.isElementAccessExpression(expression) ||
    (ts.isNonNullExpression(expression) && isMereReading(expression.expression))
  );
}

/**
 * `"a"`, `12`, `{ a: 1 }`, each with an optional explanation after `:`, `,`, `;` or `(`; `≈ 0.98`; `throws Name: text`.
 */
function statedBy(comment: string): Stated {
  const thrown = /^throws (\w+)(?:: (.+))?$/.exec(comment);
  if (thrown !== null) return { kind: "throws", name: thrown[1]!, message: thrown[2] ?? "" };
  const near = /^≈ ?(-?\d+(?:\.\d+)?)(?![\w.])/.exec(comment);
  if (near !== null) return { kind: "near", digits: near[1]! };
  const ends = [comment.length, ...[...comment.matchAll(/\s*[:,;(]/g)].map((match) => match.index).reverse()];
  for (const end of ends) {
    const literal = comment.slice(0, end);
    if (isLiteral(literal)) return { kind: "value", literal };
  }
  return { kind: "prose" };
}

function isLiteral(text: string): boolean {
  if (text === "") return false;
  const source = `(${text}\n);`;
  const { statements } = parse(source);
  const [statement] = statements;
  const complete = statements.length === 1 && statement !== undefined && statement.end === source.length;
  if (!complete || !ts.isExpressionStatement(statement)) return false;
  const { diagnostics } = ts.transpileModule(source, { reportDiagnostics: true });
  return diagnostics?.length === 0 && isLiteralNode(statement.expression);
}

function isLiteralNode(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node)) return isLiteralNode(node.expression);
  if (ts.isPrefixUnaryExpression(node)) {
    return node.operator === ts.SyntaxKind.MinusToken && isLiteralNode(node.operand);
  }
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isLiteralNode);
  if (ts.isObjectLiteralExpression(node)) {
    return node.properties.every(
      (property) => ts.isPropertyAssignment(property) && isLiteralNode(property.initializer),
    );
  }
  return (
    ts.isStringLiteral(node) ||
    ts.isNumericLiteral(node) ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword ||
    node.kind === ts.SyntaxKind.NullKeyword ||
    (ts.isIdentifier(node) && ["undefined", "Infinity", "NaN"].includes(node.text))
  );
}

function assertion(stated: Exclude<Stated, { kind: "prose" }>, line: number, awaits: boolean): [string, string] {
  if (stated.kind === "value") return [`${EXPECTATIONS}.value(${line}, `, `, (${stated.literal}))`];
  if (stated.kind === "near") return [`${EXPECTATIONS}.near(${line}, `, `, ${JSON.stringify(stated.digits)})`];
  const error = `${JSON.stringify(stated.name)}, ${JSON.stringify(stated.message)}`;
  return awaits
    ? [`await ${EXPECTATIONS}.rejects(${line}, async () => (`, `), ${error})`]
    : [`${EXPECTATIONS}.throws(${line}, () => (`, `), ${error})`];
}

function containsAwait(node: ts.Node): boolean {
  // An await inside a function belongs to that function.
  if (ts.isFunctionLike(node)) return false;
  return ts.isAwaitExpression(node) || ts.forEachChild(node, containsAwait) === true;
}
