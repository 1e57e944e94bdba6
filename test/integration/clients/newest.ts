// Runs both tables with the newest clients on Node 22. `npm run test:clients` in the root.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../../support/packed/packed-project.ts";
import { fetched } from "../../support/packed/runtime.ts";

const node = await fetched({ name: "node", version: "22.23.3", runs: [] });
const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
for (const program of ["table.ts", "adapter.ts"]) {
  const args = [tsx, "--tsconfig", "tsconfig.tools.json", join(import.meta.dirname, program), ...process.argv.slice(2)];
  const env = { ...process.env, NEWEST_CLIENTS: "1" };
  const { status } = spawnSync(node, args, { cwd: root, env, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
