import { join } from "node:path";
import ts from "typescript";
import type { CodeBlock } from "./code-blocks.ts";

/** A block and the module that is generated from it. */
export interface BlockModule {
  readonly block: CodeBlock;
  readonly text: string;
}

// The options of a careful user. `types` are those of Node, because examples use fetch, timers and console.
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  noEmit: true,
};

/** Type-checks all modules together against the sources and returns the compiler errors of each. */
export function compilerErrors(root: string, modules: readonly BlockModule[]): readonly (readonly string[])[] {
  const paths = modules.map(({ block }) => join(root, `${block.file}.${block.line}.ts`));
  const texts = new Map(modules.map(({ text }, index) => [paths[index], text]));
  const withPaths = {
    ...options,
    paths: {
      "grate-limiter": [join(root, "src/index.ts")],
      "grate-limiter/http": [join(root, "src/http/index.ts")],
      "grate-limiter/monitor": [join(root, "src/monitor/index.ts")],
    },
  };
  const host = ts.createCompilerHost(withPaths);
  const { getSourceFile, fileExists, readFile } = host;
  host.getCurrentDirectory = () => root;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, language, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, language, ...rest)
      : ts.createSourceFile(path, text, language, true, ts.ScriptKind.TS);
  };
  const program = ts.createProgram({ rootNames: paths, options: withPaths, host });
  const general = program.getOptionsDiagnostics();
  if (general.length > 0) throw new Error(general.map(messageOf).join("\n"));
  return modules.map(({ block }, index) => {
    const file = program.getSourceFile(paths[index]!);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
      const { line } = file!.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
      return `${block.file}:${line + 1}: ${messageOf(diagnostic)}`;
    });
  });
}

function messageOf({ messageText }: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(messageText, "\n");
}
