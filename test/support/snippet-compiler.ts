// Compiles snippets that import the package, in memory, with the options of a strict project.
import { fileURLToPath } from "node:url";
import ts from "typescript";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts"],
  types: [],
  // As in tsconfig.json: entries import the core by the name of the package.
  paths: {
    "grate-limiter": [fileURLToPath(new URL("../../src/index.ts", import.meta.url))],
    "grate-limiter/http": [fileURLToPath(new URL("../../src/http/index.ts", import.meta.url))],
    "grate-limiter/monitor": [fileURLToPath(new URL("../../src/monitor/index.ts", import.meta.url))],
  },
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  resolveJsonModule: true,
  allowImportingTsExtensions: true,
  noEmit: true,
};

export interface Compiled {
  /** Returns the lines of a snippet, from 1, with compiler errors and their messages. */
  faults(name: string): { readonly line: number; readonly message: string }[];
  /** Returns the lines of a snippet that are marked with `// error`. */
  marked(name: string): number[];
  /** Returns the exports of a module of the package. */
  exports(path: string): { readonly name: string; readonly isValue: boolean }[];
  /** Returns the public methods and fields of an exported class. */
  members(path: string, className: string): string[];
}

/** Compiles all files together, each under its name in this folder. */
export function compile(files: { readonly [name: string]: string }): Compiled {
  const texts = new Map(Object.entries(files).map(([name, text]) => [FOLDER + name, text]));
  const host = ts.createCompilerHost(OPTIONS, true);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.getSourceFile = (path, target, ...more) => {
    const text = texts.get(path);
    return text === undefined ? getSourceFile(path, target, ...more) : ts.createSourceFile(path, text, target, true);
  };
  const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
  const program = ts.createProgram([...texts.keys(), index], OPTIONS, host);
  const checker = program.getTypeChecker();
  const symbols = (path: string) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(fileURLToPath(new URL(path, import.meta.url)))!)!;
    return checker.getExportsOfModule(module).map((exported) => {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      return { name: exported.name, symbol: isAlias ? checker.getAliasedSymbol(exported) : exported };
    });
  };
  return {
    faults(name) {
      const file = program.getSourceFile(FOLDER + name)!;
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((fault) => ({
        line: file.getLineAndCharacterOfPosition(fault.start!).line + 1,
        message: ts.flattenDiagnosticMessageText(fault.messageText, " "),
      }));
    },
    marked(name) {
      const lines = files[name]!.split("\n");
      return lines.flatMap((line, i) => (line.endsWith("// error") ? [i + 1] : []));
    },
    exports(path) {
      return symbols(path).map(({ name, symbol }) => ({ name, isValue: (symbol.flags & ts.SymbolFlags.Value) !== 0 }));
    },
    members(path, className) {
      const type = checker.getDeclaredTypeOfSymbol(symbols(path).find(({ name }) => name === className)!.symbol);
      return checker
        .getPropertiesOfType(type)
        .map(({ name }) => name)
        .filter((name) => !name.startsWith("#"));
    },
  };
}
