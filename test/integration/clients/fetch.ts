// Runs fetch-program.mjs on Node, Bun and Deno. `npm run test:clients` in the root.
import { join } from "node:path";
import { run } from "../../support/packed/command.ts";
import { root } from "../../support/packed/packed-project.ts";
import { fetched, type Runtime } from "../../support/packed/runtime.ts";

const PROGRAM = join(import.meta.dirname, "fetch-program.mjs");
const denoEnv = { DENO_DIR: join(root, ".cache/runtimes/deno-cache"), DENO_NO_UPDATE_CHECK: "1", DENO_NO_PROMPT: "1" };
const RUNTIMES: readonly (readonly [runtime: Runtime | null, args: readonly string[]])[] = [
  [null, []],
  [{ name: "bun", version: "1.4.5", runs: [] }, []],
  [{ name: "deno", version: "2.9.6", env: denoEnv, runs: [] }, ["run", "--allow-net", "--allow-read", "--allow-env"]],
];

for (const [runtime, args] of RUNTIMES) {
  const command = runtime === null ? process.execPath : await fetched(runtime);
  const { exitCode, stdout, stderr } = await run(command, [...args, PROGRAM], { cwd: root, env: runtime?.env ?? {} });
  console.log(`${runtime?.name ?? "node"}\n${stdout}${exitCode === 0 ? "" : stderr}`);
  if (exitCode !== 0) process.exitCode = 1;
}
