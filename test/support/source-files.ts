// Parses the source folder for the tests of its structure.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { ImportEdge } from "./import-graph.ts";

/** Names under which entries import the core and each other. */
const OWN_NAMES: { readonly [specifier: string]: string } = {
  "grate-limiter": "index.ts",
  "grate-limiter/http": "http/index.ts",
};
const ROOT = fileURLToPath(new URL("../../src", import.meta.url));

export interface SourceImport extends ImportEdge {
  readonly isType: boolean;
}

export interface SourceFile {
  /** Path within the source folder, with forward slashes. */
  readonly path: string;
  readonly lines: number;
  readonly tree: ts.SourceFile;
  /** Imports, re-exports, dynamic imports, `require` calls and `import("...")` types. */
  readonly imports: readonly SourceImport[];
}

/** Parses one file. `to` of an import of another package is the name of that package. */
export function parseSource(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const imports: SourceImport[] = [];
  walk(tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const isRelative = specifier.text.startsWith(".");
    const to = isRelative
      ? relative(ROOT, join(ROOT, dirname(path), specifier.text)).replaceAll("\\", "/")
      : (OWN_NAMES[specifier.text] ?? specifier.text);
    imports.push({ from: path, to, isType: isTypeImport(node) });
  });
  return { path, lines: text.trimEnd().split("\n").length, tree, imports };
}

/** Parses all files of the source folder, sorted by path. */
export function readSource(): SourceFile[] {
  return readdirSync(ROOT, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), "utf8")));
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Returns `path: name` for every identifier and every string with one of these names. Comments do not count. */
export function mentions({ path, tree }: SourceFile, names: readonly string[]): string[] {
  const found: string[] = [];
  walk(tree, (node) => {
    if (!ts.isIdentifier(node) && !ts.isStringLiteralLike(node)) return;
    if (names.includes(node.text)) found.push(`${path}: ${node.text}`);
  });
  return found;
}

/** Returns the comparisons and `switch` statements over a value named `profile`. */
export function profileComparisons({ path, tree }: SourceFile): string[] {
  const found: string[] = [];
  walk(tree, (node) => {
    const operands = ts.isBinaryExpression(node)
      ? isComparison(node.operatorToken.kind)
        ? [node.left, node.right]
        : []
      : ts.isSwitchStatement(node)
        ? [node.expression]
        : [];
    if (operands.some((operand) => /(^|\.)#?profile$/.test(operand.getText()))) found.push(path);
  });
  return found;
}

/** Returns the members of an interface that are boolean or return a boolean; null if the file declares no such interface. */
export function booleanMembers({ tree }: SourceFile, interfaceName: string): string[] | null {
  const declared = tree.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === interfaceName);
  if (declared === undefined) return null;
  const found: string[] = [];
  walk(declared, (node) => {
    if (!ts.isPropertySignature(node) && !ts.isMethodSignature(node)) return;
    if (/\bboolean\b|\b(true|false)\b/.test(node.type?.getText() ?? "")) found.push(node.name.getText());
  });
  return found;
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const isCall =
    node.expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(node.expression) && node.expression.text === "require");
  return isCall ? node.arguments[0] : undefined;
}

function isTypeImport(node: ts.Node): boolean {
  return (
    (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) ||
    (ts.isExportDeclaration(node) && node.isTypeOnly) ||
    ts.isImportTypeNode(node)
  );
}

function isComparison(kind: ts.SyntaxKind): boolean {
  return [
    ts.SyntaxKind.EqualsEqualsToken,
    ts.SyntaxKind.EqualsEqualsEqualsToken,
    ts.SyntaxKind.ExclamationEqualsToken,
    ts.SyntaxKind.ExclamationEqualsEqualsToken,
    ts.SyntaxKind.InstanceOfKeyword,
  ].includes(kind);
}
