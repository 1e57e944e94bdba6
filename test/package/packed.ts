// The package as a user gets it: the tarball, installed into an empty project and used from ESM, CommonJS and
// TypeScript. `npm run test:packed`, after `npm run build`.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CORE_ENTRY, ENTRIES, OWN_IMPORTS, subpathOf } from "../../scripts/entries.ts";
import { filesIn } from "../support/documentation/files.ts";
import { type Check, expectSameNames, runChecks } from "../support/packed/checks.ts";
import { runOrThrow } from "../support/packed/command.ts";
import {
  consumerFile,
  installedPackages,
  type PackedProject,
  packedProject,
  root,
} from "../support/packed/packed-project.ts";
import { importedNames, importedSpecifiers, readPublishedTypes } from "../support/packed/published-types.ts";
import { readmeProgram } from "../support/packed/readme-program.ts";
import { runScenario } from "../support/packed/run-scenario.ts";
import { typescriptChecks } from "../support/packed/typescript-consumers.ts";

const ENTRY_NAMES = Object.keys(ENTRIES);
const EXTENSIONS = ["cjs", "d.cts", "d.ts", "js"];
const PUBLISHED = [
  ...["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "package.json"],
  ...filesIn("docs", ".md"),
  ...filesIn("docs", ".svg"),
  ...filesIn("examples", ""),
  ...filesIn("dashboards", ".json"),
  ...ENTRY_NAMES.flatMap((name) => EXTENSIONS.map((extension) => `dist/${name}.${extension}`)),
];

const project = await packedProject();
try {
  await runChecks([
    // The slowest check first, because it runs beside all others.
    ...(await typescriptChecks(project)),
    ...contentChecks(project),
    ...ENTRY_NAMES.flatMap((name) => entryChecks(project, name)),
    ...declarationChecks(project),
    ...runtimeChecks(project),
    ...linterChecks(project),
  ]);
} finally {
  await project.remove();
}

function contentChecks({ files, installed }: PackedProject): readonly Check[] {
  return [
    {
      name: "the tarball contains the published files and no others",
      body: () => {
        expectSameNames(files, PUBLISHED);
        return `${files.length} files`;
      },
    },
    {
      name: "it installs alone: no dependencies, no scripts that run",
      body: async () => {
        expectSameNames(await installedPackages(project), ["grate-limiter"]);
        const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as {
          [field: string]: object | undefined;
        };
        for (const field of ["dependencies", "peerDependencies", "optionalDependencies", "bundleDependencies"]) {
          expectSameNames(Object.keys(manifest[field] ?? {}), []);
        }
        const scripts = Object.keys(manifest["scripts"] ?? {});
        expectSameNames(
          scripts.filter((script) => /^(pre|post)?install$|^prepare$/.test(script)),
          [],
        );
        return undefined;
      },
    },
    {
      name: "no file contains the path of the build",
      body: async () => {
        const texts = await Promise.all(files.map((file) => readFile(join(installed, file), "utf8")));
        expectSameNames(
          files.filter((_, index) => texts[index]!.includes(root)),
          [],
        );
        return undefined;
      },
    },
  ];
}

/** Fields of a package.json that lead to entries. */
interface Manifest {
  readonly exports: { readonly [subpath: string]: unknown };
  readonly types: string;
  readonly typesVersions?: { readonly [versions: string]: { readonly [name: string]: readonly string[] } };
}

async function manifestOf(installed: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
}

/** Checks of one entry: its path in `exports`, its imports, and its types. */
function entryChecks({ installed }: PackedProject, name: string): readonly Check[] {
  const declarations = [`dist/${name}.d.ts`, `dist/${name}.d.cts`];
  return [
    {
      name: `${subpathOf(name)}: exports leads ESM and CommonJS to its files and types`,
      body: async () => {
        const { exports, types, typesVersions } = await manifestOf(installed);
        const files = (types: string, code: string) => ({
          types: `./dist/${name}.${types}`,
          default: `./dist/${name}.${code}`,
        });
        const esm = files("d.ts", "js");
        const wanted = JSON.stringify({ "module-sync": esm, import: esm, require: files("d.cts", "cjs") });
        const actual = JSON.stringify(exports[subpathOf(name)]);
        if (actual !== wanted) throw new Error(`expected ${wanted}, got ${actual}`);
        // TypeScript's older resolution ("node10") reads no exports.
        const older = name === CORE_ENTRY ? types : typesVersions?.["*"]?.[name]?.[0];
        const wantedOlder = `./dist/${name}.d.${name === CORE_ENTRY ? "ts" : "cts"}`;
        if (older !== wantedOlder) throw new Error(`expected ${wantedOlder} for older resolution, got ${older}`);
        return undefined;
      },
    },
    {
      name: `${subpathOf(name)}: imports ${name === CORE_ENTRY ? "nothing" : "other entries by name, and no file"}`,
      body: async () => {
        const specifiers = await Promise.all(
          EXTENSIONS.map((extension) => importedSpecifiers(join(installed, `dist/${name}.${extension}`))),
        );
        const isAllowed = (specifier: string) => name !== CORE_ENTRY && OWN_IMPORTS.test(specifier);
        expectSameNames(
          specifiers.flat().filter((specifier) => !isAllowed(specifier)),
          [],
        );
        return undefined;
      },
    },
    ...declarations.map((file) => ({
      name: `${file}: brings the lib entry that it needs, mentions no any`,
      body: async () => {
        const { firstLine, mentionsOfAny } = await readPublishedTypes(join(installed, file));
        const wanted = '/// <reference lib="esnext.disposable" />';
        if (firstLine !== wanted) throw new Error(`expected ${wanted} as its first line, got ${firstLine}`);
        if (mentionsOfAny.length > 0) throw new Error(mentionsOfAny.join("\n"));
        return undefined;
      },
    })),
    {
      name: `${subpathOf(name)}: both declaration files export the same names`,
      body: async () => {
        const [esm, commonJs] = await Promise.all(
          declarations.map((file) => readPublishedTypes(join(installed, file))),
        );
        expectSameNames(commonJs!.names, esm!.names);
        return `${esm!.names.length} names`;
      },
    },
  ];
}

function declarationChecks({ installed }: PackedProject): readonly Check[] {
  return [
    {
      name: "exports has the entries and package.json, and nothing else",
      body: async () => {
        const { exports } = await manifestOf(installed);
        expectSameNames(Object.keys(exports), [...ENTRY_NAMES.map(subpathOf), "./package.json"]);
        return undefined;
      },
    },
    {
      name: "the typed program uses every exported name",
      body: async () => {
        const { names } = await readPublishedTypes(join(installed, "dist/index.d.ts"));
        expectSameNames(importedNames(await consumerFile("typed-program.ts")), names);
        return `${names.length} names`;
      },
    },
  ];
}

function runtimeChecks({ directory, installed }: PackedProject): readonly Check[] {
  const node = process.execPath;
  // If Node can require ES modules, `require` returns the only ESM copy; older versions get the CommonJS file.
  const requiresEsm = process.features.require_module === true;
  const runs: { name: string; command: readonly string[]; loaded?: string }[] = [
    { name: "import", command: [node, "by-import.mjs"], loaded: "index.js" },
    { name: "require", command: [node, "by-require.cjs"], loaded: requiresEsm ? "index.js" : "index.cjs" },
    { name: "both copies together", command: [node, "both-copies.mjs"] },
  ];
  if (requiresEsm) {
    const command = [node, "--no-experimental-require-module", "by-require.cjs"];
    runs.push({ name: "require, as older Nodes do", command, loaded: "index.cjs" });
  }
  return [
    ...runs.map(({ name, command, loaded }) => ({
      name,
      body: async () => {
        const report = await runScenario(command, directory);
        if (loaded !== undefined) expectSameNames([report.loaded], [loaded]);
        return `${report.runtime} ${report.version}, ${report.loaded}, ${report.answers.length} answers`;
      },
    })),
    {
      name: "the quick start of the README runs, and prints the stated output",
      body: async () => {
        const { code, output } = readmeProgram(await readFile(join(installed, "README.md"), "utf8"));
        await writeFile(join(directory, "quick-start.mjs"), code);
        const printed = await runOrThrow(node, ["quick-start.mjs"], { cwd: directory });
        if (printed !== output) throw new Error(`expected\n${output}got\n${printed}`);
        return `${output.trim().split("\n").length} lines`;
      },
    },
    {
      name: "the exported values are the declared values",
      body: async () => {
        const { values } = await readPublishedTypes(join(installed, "dist/index.d.ts"));
        const { exportedNames } = await runScenario([node, "by-import.mjs"], directory);
        expectSameNames(exportedNames, values);
        return `${values.length} values`;
      },
    },
  ];
}

function linterChecks({ tarball, directory }: PackedProject): readonly Check[] {
  const binary = (name: string) => join(root, "node_modules/.bin", name);
  return [
    {
      name: "publint is clean, suggestions included",
      body: async () => {
        const output = await runOrThrow(binary("publint"), ["run", tarball, "--strict"], { cwd: directory });
        if (!output.includes("All good!")) throw new Error(output);
        return undefined;
      },
    },
    {
      name: "attw is clean",
      body: async () => {
        // The same checks as `attw --pack`, on the existing tarball.
        const output = await runOrThrow(binary("attw"), [tarball, "--no-definitely-typed", "--format", "ascii"], {
          cwd: directory,
        });
        if (!output.includes("No problems found")) throw new Error(output);
        return undefined;
      },
    },
  ];
}
