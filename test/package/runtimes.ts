// The scenario of the packed test in every supported runtime. Each runtime is fetched from the registry on demand, and
// must identify itself. `npm run test:runtimes`, after `npm run build`.
import { join } from "node:path";
import { type Check, runChecks } from "../support/packed/checks.ts";
import { type PackedProject, packedProject, root } from "../support/packed/packed-project.ts";
import { runScenario } from "../support/packed/run-scenario.ts";
import { fetched, type Run, type Runtime } from "../support/packed/runtime.ts";

const nodeRuns: readonly Run[] = [
  { name: "import", args: ["by-import.mjs"], loaded: "index.js" },
  { name: "require", args: ["by-require.cjs"], loaded: "index.js" },
  {
    name: "require, as older Nodes do",
    args: ["--no-experimental-require-module", "by-require.cjs"],
    loaded: "index.cjs",
  },
  { name: "both copies together", args: ["both-copies.mjs"] },
];

const runtimes: readonly Runtime[] = [
  { name: "node", version: "22.23.3", runs: nodeRuns },
  { name: "node", version: "24.21.0", runs: nodeRuns },
  {
    name: "bun",
    version: "1.4.5",
    runs: [
      { name: "import", args: ["by-import.mjs"], loaded: "index.js" },
      { name: "require", args: ["by-require.cjs"] },
      { name: "both copies together", args: ["both-copies.mjs"] },
    ],
  },
  {
    name: "deno",
    version: "2.9.6",
    // The cache is inside the repository, not in the home directory of the user.
    env: { DENO_DIR: join(root, ".cache/runtimes/deno-cache"), DENO_NO_UPDATE_CHECK: "1", DENO_NO_PROMPT: "1" },
    runs: [
      // Without any permission, because the package needs none.
      { name: "import, with no permissions", args: ["run", "--cached-only", "by-import.mjs"], loaded: "index.js" },
      // `require` reads files.
      { name: "require", args: ["run", "--cached-only", "--allow-read", "by-require.cjs"] },
      { name: "both copies together", args: ["run", "--cached-only", "--allow-read", "both-copies.mjs"] },
    ],
  },
];

const project = await packedProject();
try {
  await runChecks(runtimes.flatMap((runtime) => checksOf(runtime, project)));
} finally {
  await project.remove();
}

function checksOf(runtime: Runtime, { directory }: PackedProject): readonly Check[] {
  // All runtimes are fetched in parallel before the first is used; a failure is reported by the checks that need the
  // runtime.
  const executable = fetched(runtime);
  executable.catch(() => {});
  return runtime.runs.map(({ name, args, loaded }) => ({
    name: `${runtime.name} ${runtime.version}: ${name}`,
    body: async () => {
      const report = await runScenario([await executable, ...args], directory, runtime.env);
      const [asked, answered] = [`${runtime.name} ${runtime.version}`, `${report.runtime} ${report.version}`];
      if (answered !== asked) throw new Error(`expected to run on ${asked}, ran on ${answered}`);
      if (loaded !== undefined && report.loaded !== loaded) {
        throw new Error(`expected ${loaded} to be loaded, got ${report.loaded}`);
      }
      return `ran on ${answered}, ${report.loaded}, ${report.answers.length} answers`;
    },
  }));
}
