// A process stays alive while a call waits, and not longer.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../support/process-exit-program.ts", import.meta.url));

it.each([
  ["open lease", "", 0],
  ["waiter", "granted\n", 350],
  ["aborted waiter", "aborted\nclosed\n", 0],
  ["refused waiter", "refused\n", 0],
  ["stopped batch", "stopped\n", 0],
  ["aborted batch", "aborted\n", 0],
])("a process exits as soon as no call waits: %s", async (what, printed, leastMs) => {
  const from = performance.now();
  const run = promisify(execFile)(process.execPath, ["--import", "tsx", SCRIPT, what], { timeout: 30_000 });
  const { stdout, stderr } = await run;
  expect(stdout).toBe(printed);
  expect(stderr).toBe("");
  const ms = performance.now() - from;
  expect(ms).toBeGreaterThan(leastMs);
  expect(ms).toBeLessThan(20_000);
});
