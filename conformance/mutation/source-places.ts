import ts from "typescript";

/** Name of the declaration around a position of a source, as in `Provider.state`. */
export function enclosingName(source: string, position: number): string {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (position < node.getStart(file) || position >= node.end) return;
    const name = nameOf(node, file);
    if (name !== null) names.push(name);
    ts.forEachChild(node, visit);
  };
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  visit(file);
  return names.join(".") || "(top)";
}

/** Every number literal of a source, except those in types. */
export function numbersIn(source: string): { readonly start: number; readonly end: number; readonly text: string }[] {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  const numbers: { start: number; end: number; text: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    if (ts.isNumericLiteral(node)) numbers.push({ start: node.getStart(file), end: node.end, text: node.text });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return numbers;
}

/** True if the source only has data: it declares no function, method or class. */
export function isData(source: string): boolean {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  const hasCode = (node: ts.Node): boolean =>
    (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) || (ts.forEachChild(node, hasCode) ?? false);
  return !hasCode(file);
}

function nameOf(node: ts.Node, file: ts.SourceFile): string | null {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const isNamed =
    ts.isClassDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isAccessor(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertyAssignment(node) ||
    ts.isVariableDeclaration(node);
  return isNamed && node.name !== undefined ? node.name.getText(file) : null;
}
