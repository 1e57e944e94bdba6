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

/** Folder with these packages. They are fetched on demand, because they are not dependencies of the repository. */
export async function fetchedRivals(): Promise<string> {
  const folder = join(cache, "rivals");
  if ((await problems(folder)).length === 0) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
  const packages = Object.entries(RIVALS).map(([name, version]) => `${name}@${version}`);
  await runOrThrow("npm", ["install", "--prefix", folder, ...flags, ...packages], { cwd: folder });
  const wrong = await problems(folder);
  if (wrong.length > 0) throw new Error(`wrong packages: ${wrong.join(", ")}`);
  return folder;
}

async function problems(folder: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, version] of Object.entries(RIVALS)) {
    try {
      const manifest = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8"));
      if (manifest.version !== version) wrong.push(`${name} ${manifest.version}`);
    } catch {
      wrong.push(name);
    }
  }
  return wrong;
}
