import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Runner } from "./languages.ts";

const SCRIPT = fileURLToPath(new URL("../python/documentation.py", import.meta.url));

/** Prints what docs/ports.md says of the Python package's README and no scenario can show; what is no longer so. */
export function printDocumentationClaims({ command }: Runner): string[] {
  const { stdout, stderr } = spawnSync(command, [SCRIPT], { encoding: "utf8" });
  const lines = stdout.split("\n").filter((line) => line !== "");
  const claims = lines.map((line) => JSON.parse(line) as { claim: string; result: "pass" | "fail" });
  console.log("\nsaid in the README of the Python package, and not so:");
  for (const { claim, result } of claims) console.log(`  ${result === "pass" ? "not so" : "SO"}  ${claim}`);
  if (claims.length === 0) return [`documentation.py said nothing: ${stderr}`];
  return claims.filter(({ result }) => result === "fail").map(({ claim }) => `no longer untrue: ${claim}`);
}
