import ts from "typescript";
import type { CodeBlock } from "./code-blocks.ts";

/** The names that a block can use without importing them, and their modules. */
export interface Surroundings {
  readonly specifier: string;
  readonly names: readonly Name[];
}

interface Name {
  readonly name: string;
  readonly isType: boolean;
}

/** Returns the code of a block as a separate module, with every line at its number in the file. */
export function moduleOf(block: CodeBlock, code: string, surroundings: readonly Surroundings[]): string {
  const file = parse(code);
  const free = freeNames(file);
  const imports = surroundings.map(({ specifier, names }) => {
    const wanted = names.filter(({ name }) => free.has(name));
    if (wanted.length === 0) return "";
    const list = wanted.map(({ name, isType }) => (isType ? `type ${name}` : name));
    return `import { ${list.join(", ")} } from ${JSON.stringify(specifier)};\n`;
  });
  // Imports are hoisted, so they can come last, where they move no line.
  return `${"\n".repeat(block.line - 1)}${code}\n${imports.join("")}export {};\n`;
}

/** Returns the exported names of a module from its text. */
export function exportedNames(text: string): readonly Name[] {
  const names: Name[] = [];
  for (const statement of parse(text).statements) {
    if (ts.isExportDeclaration(statement)) {
      if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) continue;
      for (const specifier of statement.exportClause.elements) {
        names.push({ name: specifier.name.text, isType: statement.isTypeOnly || specifier.isTypeOnly });
      }
    } else if (
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    ) {
      const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
      for (const name of declaredNames(statement)) names.push({ name, isType });
    }
  }
  return names;
}

/** Parses a text as a syntax tree. */
export function parse(text: string): ts.SourceFile {
  return ts.createSourceFile("block.ts", text, ts.ScriptTarget.ES2022, true);
}

/**
 * Returns every name in a module that is not declared at its top. Names of properties are included, which does no harm.
 */
function freeNames(file: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  for (const statement of file.statements) for (const name of declaredNames(statement)) names.delete(name);
  return names;
}

function declaredNames(statement: ts.Statement): readonly string[] {
  if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {};
    const first = name === undefined ? [] : [name.text];
    if (namedBindings === undefined) return first;
    if (ts.isNamespaceImport(namedBindings)) return [...first, namedBindings.name.text];
    return [...first, ...namedBindings.elements.map((element) => element.name.text)];
  }
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap((declaration) => boundNames(declaration.name));
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  ) {
    return statement.name === undefined ? [] : [statement.name.text];
  }
  return [];
}

function boundNames(name: ts.BindingName): readonly string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}
