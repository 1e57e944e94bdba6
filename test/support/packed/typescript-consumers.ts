import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "./checks.ts";
import { type Finished, run, runOrThrow } from "./command.ts";
import { consumerFile, type PackedProject, root } from "./packed-project.ts";

interface Compiler {
  /** The name under which the repository installs the compiler. */
  readonly alias: string;
  /** The start of the version, so that no update turns the oldest compiler into another newest one. */
  readonly version: string;
}

const compilers: readonly Compiler[] = [
  { alias: "typescript-5.4", version: "5.4." },
  { alias: "typescript", version: "5.9." },
  { alias: "typescript-newest", version: "7." },
];

// The options of a careful user and no more: no skipLibCheck, no types of Node or of a browser.
const strict = {
  target: "es2022",
  lib: ["es2022"],
  types: [],
  strict: true,
  noUnusedLocals: true,
  skipLibCheck: false,
};
const nodenext = { ...strict, module: "nodenext", moduleResolution: "nodenext" };
const bundler = {
  ...strict,
  module: "preserve",
  moduleResolution: "bundler",
  noEmit: true,
  // The strictest options, for users that have them: everything must be assignable both ways.
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
};

const REQUIRING = `import grate = require("grate-limiter");
const limiter = new grate.GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
const chosen: grate.Decision<"a"> = limiter.select("chat");
const provider: "a" = chosen.provider;
if (provider !== "a") throw new Error("expected the only provider");
`;

const PROGRAMS = ["program.mts", "program.cts", "requiring.cts"];
const MISSPELT = ["misspelt.mts", "misspelt.cts"];

/** The same programs, from ESM and from CommonJS, for every compiler and both ways to resolve a package. */
export async function typescriptChecks(project: PackedProject): Promise<readonly Check[]> {
  const folder = join(project.directory, "typescript");
  await mkdir(folder);
  const program = await consumerFile("typed-program.ts");
  await writeFile(join(folder, "program.mts"), program);
  await writeFile(join(folder, "program.cts"), program);
  await writeFile(join(folder, "requiring.cts"), REQUIRING);
  const misspelt = withoutDirectives(await consumerFile("misspelt.ts"));
  for (const file of MISSPELT) await writeFile(join(folder, file), misspelt.program);

  return compilers.flatMap((compiler) => [
    {
      name: `${compiler.alias}, nodenext: compiles and runs from ESM and CommonJS`,
      body: async () => {
        const version = await checkedVersion(compiler);
        const { exitCode, stdout } = await compile(compiler, folder, PROGRAMS, { ...nodenext, outDir: compiler.alias });
        if (exitCode !== 0) throw new Error(stdout);
        for (const file of PROGRAMS) {
          const compiled = join(folder, compiler.alias, file.replace(/ts$/, "js"));
          await runOrThrow(process.execPath, [compiled], { cwd: folder });
        }
        return version;
      },
    },
    {
      name: `${compiler.alias}, nodenext: refuses misspelt names`,
      body: async () => {
        const { stdout } = await compile(compiler, folder, MISSPELT, { ...nodenext, noEmit: true });
        for (const file of MISSPELT) expectErrors(stdout, file, misspelt.refused);
        return `${misspelt.refused.length} lines`;
      },
    },
    {
      name: `${compiler.alias}, bundler: compiles from ESM and CommonJS`,
      body: async () => {
        const { exitCode, stdout } = await compile(compiler, folder, PROGRAMS, bundler);
        if (exitCode !== 0) throw new Error(stdout);
        return undefined;
      },
    },
  ]);
}

async function checkedVersion({ alias, version: wanted }: Compiler): Promise<string> {
  const manifest = await readFile(join(root, "node_modules", alias, "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  if (!version.startsWith(wanted)) throw new Error(`expected TypeScript ${wanted}x, got ${version}`);
  return version;
}

let configsWritten = 0;

async function compile(
  { alias }: Compiler,
  folder: string,
  files: readonly string[],
  compilerOptions: object,
): Promise<Finished> {
  configsWritten += 1;
  const config = `tsconfig.${configsWritten}.json`;
  await writeFile(join(folder, config), JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, "node_modules", alias, "bin/tsc");
  return run(process.execPath, [tsc, "-p", config, "--pretty", "false"], { cwd: folder });
}

/** The program without directives that silence the compiler, and the line numbers that it must report. */
function withoutDirectives(source: string): { readonly program: string; readonly refused: readonly number[] } {
  const lines = source.split("\n");
  // Line numbers start at 1, so an index is also the number of the line before.
  const refused = lines.flatMap((line, index) => (line.startsWith("// @ts-expect-error") ? [index + 2] : []));
  if (refused.length === 0) throw new Error("expected lines that must not compile");
  return { program: lines.map((line) => line.replace("@ts-expect-error", "must not compile")).join("\n"), refused };
}

function expectErrors(output: string, file: string, expected: readonly number[]): void {
  const reported = [...output.matchAll(/^([^\n(]+)\((\d+),\d+\): error /gm)];
  const lines = new Set(reported.filter((match) => match[1] === file).map((match) => Number(match[2])));
  const accepted = expected.filter((line) => !lines.has(line));
  const others = reported.filter((match) => !MISSPELT.includes(match[1]!) || !expected.includes(Number(match[2])));
  if (accepted.length > 0)
    throw new Error(`${file}: must not compile, but does: line ${accepted.join(", ")}\n${output}`);
  if (others.length > 0) throw new Error(`${file}: errors where none belong\n${output}`);
}
