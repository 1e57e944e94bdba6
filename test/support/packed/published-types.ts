import { readFile } from "node:fs/promises";
import ts from "typescript";

/** The content of a declaration file that the checks need. */
export interface PublishedTypes {
  readonly firstLine: string;
  /** The exported names that exist at run time. */
  readonly values: readonly string[];
  /** All exported names, sorted. */
  readonly names: readonly string[];
  /** The places of the type `any`, without those in comments. */
  readonly mentionsOfAny: readonly string[];
}

/** Reads a bundled declaration file. */
export async function readPublishedTypes(path: string): Promise<PublishedTypes> {
  const text = await readFile(path, "utf8");
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const values: string[] = [];
  const types: string[] = [];
  const mentionsOfAny: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) mentionsOfAny.push(lineOf(file, node));
    if (ts.isExportSpecifier(node)) (node.isTypeOnly ? types : values).push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return {
    firstLine: text.slice(0, text.indexOf("\n")),
    values: values.sort(),
    names: [...values, ...types].sort(),
    mentionsOfAny,
  };
}

/** Returns the names that a program imports from the package. */
export function importedNames(program: string): readonly string[] {
  const file = ts.createSourceFile("program.ts", program, ts.ScriptTarget.ES2022, true);
  return file.statements
    .filter((statement) => ts.isImportDeclaration(statement))
    .flatMap((statement) => {
      const bindings = statement.importClause?.namedBindings;
      return bindings !== undefined && ts.isNamedImports(bindings) ? [...bindings.elements] : [];
    })
    .map((specifier) => (specifier.propertyName ?? specifier.name).text);
}

/** Modules that a file imports, requires or re-exports, code or declarations. */
export async function importedSpecifiers(path: string): Promise<readonly string[]> {
  return ts.preProcessFile(await readFile(path, "utf8"), true, true).importedFiles.map(({ fileName }) => fileName);
}

function lineOf(file: ts.SourceFile, node: ts.Node): string {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `line ${line + 1}: ${file.text.split("\n")[line]!.trim()}`;
}
