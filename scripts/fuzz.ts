// Runs the property tests repeatedly, each time with a random seed, until the minutes are over or a test fails.
//
//   npm run fuzz -- 30      minutes; default 10
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) throw new Error(`minutes: a number above 0, got ${process.argv[2]}`);
const files = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => join("test", name))
  .filter(
    (name) => name.endsWith(".test.ts") && /"fast-check"|withSeed|tracker-contract/.test(readFileSync(name, "utf8")),
  );

const end = performance.now() + minutes * 60_000;
for (let round = 1; performance.now() < end; round++) {
  const seed = randomInt(2 ** 31);
  console.log(`round ${round}, SEED=${seed}, ${files.length} files`);
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", "--mode", "full", "--project", "unit", "--reporter", "dot", ...files],
    {
      env: { ...process.env, SEED: String(seed) },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  if (status === 0) continue;
  console.error(`failed: SEED=${seed} npx vitest run --mode full --project unit`);
  process.exit(1);
}
