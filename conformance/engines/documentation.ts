import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Runner } from "./languages.ts";

const SCRIPT = fileURLToPath(new URL("../python/documentation.py", import.meta.url));

/**
 * Prints the claims in the README of the Python package that do not hold (docs/ports.md lists them) and that no scenario can
 * show. Returns the claims that hold by now.
 */
export function printDocumentationClaims({ command }: Runner): string[] {
  const { stdout, stderr } = spawnSync(command, [SCRIPT], { encoding: "utf8" });
  const lines = stdout.split("\n").filter((line) => line !== "");
  const claims = lines.map((line) => JSON.parse(line) as { claim: string; result: "pass" | "fail" });
  console.log("\nclaims in the README of the Python package that do not hold:");
  for (const { claim, result } of claims) console.log(`  ${result === "pass" ? "false" : "TRUE"}  ${claim}`);
  if (claims.length === 0) return [`documentation.py printed nothing: ${stderr}`];
  return claims.filter(({ result }) => result === "fail").map(({ claim }) => `this claim holds now: ${claim}`);
}
