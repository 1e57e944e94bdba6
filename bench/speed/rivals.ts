import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runOrThrow } from "../../test/support/packed/command.ts";
import { cache } from "./sides.ts";

/** Other limiters that users could choose. Exact versions, so that a run can be repeated. */
export const RIVALS: { readonly [name: string]: string } = {
  bottleneck: "2.19.5",
  "p-queue": "9.3.5",
  "p-limit": "7.3.3",
  limiter: "4.1.0",
  "rate-limiter-flexible": "11.4.0",
  cockatiel: "3.2.1",
};

/** Packages of bench/retries.ts: a queue with a limit, and retries. */
export const RETRY_RIVALS: { readonly [name: string]: string } = { "p-queue": "9.3.5", "p-retry": "7.1.1" };

/** Folder with these packages. They are fetched on demand, because they are not dependencies of the repository. */
export async function fetchedRivals(rivals = RIVALS, name = "rivals"): Promise<string> {
  const folder = join(cache, name);
  if ((await problems(folder, rivals)).length === 0) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
  const packages = Object.entries(rivals).map(([name, version]) => `${name}@${version}`);
  await runOrThrow("npm", ["install", "--prefix", folder, ...flags, ...packages], { cwd: folder });
  const wrong = await problems(folder, rivals);
  if (wrong.length > 0) throw new Error(`wrong packages: ${wrong.join(", ")}`);
  return folder;
}

async function problems(folder: string, rivals: typeof RIVALS): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, version] of Object.entries(rivals)) {
    try {
      const manifest = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8"));
      if (manifest.version !== version) wrong.push(`${name} ${manifest.version}`);
    } catch {
      wrong.push(name);
    }
  }
  return wrong;
}
