// Runs the tests with real AI SDKs: version 6 on this Node, version 7 on Node 22. `npm run test:ai-sdk` in the root. With
// `--write` the comparison with ai-fallback is written into the guide, without it the guide must contain it.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../support/packed/command.ts";
import { root } from "../../support/packed/packed-project.ts";

const FOLDER = import.meta.dirname;
const GUIDE = join(root, "docs/guides/ai-sdk.md");
const BLOCK = /(<!-- table -->\n)[\s\S]*?(\n<!-- end -->)/;
const RUNTIMES = [
  ["ai6", process.execPath],
  ["ai7", join(FOLDER, "ai7/node_modules/node/bin/node")],
] as const;
const COMPILERS = ["typescript-5.4", "typescript", "typescript-newest"];

/** Output of a program. Sets the exit code if it has failed. */
async function output(name: string, command: string, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, args, { cwd: FOLDER });
  const isGood = exitCode === 0;
  console.log(`${isGood ? "ok  " : "FAIL"} ${name}`);
  if (!isGood) {
    console.log(`${stdout}${stderr}`);
    process.exitCode = 1;
  }
  return stdout;
}

const tables: string[] = [];
for (const [sdk, node] of RUNTIMES) {
  console.log(await output(`${sdk}: features`, node, ["features.mjs", sdk]));
  console.log(await output(`${sdk}: 200 concurrent streams`, node, ["load.mjs", sdk]));
  const lines = (await output(`${sdk}: comparison`, node, ["table.mjs", sdk]))
    .split("\n")
    .filter((line) => line.includes("\t"));
  tables.push(lines.map((line) => `| ${line.split("\t").join(" | ")} |`).join("\n"));
  for (const compiler of COMPILERS) {
    const tsc = join(root, "node_modules", compiler, "bin/tsc");
    await output(`${sdk}: types, ${compiler}`, process.execPath, [tsc, "-p", `types/tsconfig.${sdk}.json`]);
  }
}

console.log(tables.join("\n\n"));
if (tables[0] !== tables[1]) throw new Error("the two versions of the AI SDK differ");
const table = `| 3 calls, the first vendor has this fault | ai-fallback | routeModel |\n|---|---|---|\n${tables[0]}`;
const guide = await readFile(GUIDE, "utf8");
const updated = guide.replace(BLOCK, (_, start: string, end: string) => `${start}${table}${end}`);
if (process.argv.includes("--write")) await writeFile(GUIDE, updated);
else if (updated !== guide) throw new Error("the comparison in docs/guides/ai-sdk.md is another one: run with --write");
