// Long runs, each in a process of its own, which measures its memory and its event loop alone.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../support/packed/command.ts";
import { root } from "../support/packed/packed-project.ts";
import { effort, isFullEffort } from "../support/test-effort.ts";

const TIME_LIMIT_MS = 1_800_000;

describe("endurance", () => {
  let directory = "";
  beforeAll(() => {
    mkdirSync(join(root, ".cache"), { recursive: true });
    directory = mkdtempSync(join(root, ".cache/endurance-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function play(name: string, ...args: number[]): Promise<unknown> {
    const file = join(directory, `${name}.mjs`);
    await build({
      entryPoints: [join(root, `test/support/endurance/${name}.ts`)],
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      alias: { "grate-limiter": join(root, "src/index.ts") },
    });
    const command = ["--expose-gc", file, ...args.map(String)];
    const { exitCode, stdout, stderr } = await run(process.execPath, command, {
      cwd: directory,
      timeLimitMs: TIME_LIMIT_MS,
    });
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1)!);
  }

  it("a million calls with random outcomes leave no memory, no request in flight and no listener", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    const found = (await play("soak", effort(1_000_000, 20_000))) as { growth: number; granted: number };
    console.log(`soak: ${JSON.stringify(found)}`);
    expect(found).toMatchObject({ inFlight: [0, 0, 0, 0], waiting: {}, oldestLeaseMs: null, listeners: 0 });
    expect(found.growth).toBeLessThan(1_000_000);
    expect(found.granted).toBeGreaterThan(effort(1_000_000, 20_000) / 2);
  });

  it("300 callers at random leave nothing pending, leaked, negative or NaN, and no internal error", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    const found = (await play("chaos", 1, effort(20, 2))) as { problems: string[]; turnsMs: number[] };
    const turnsMs = found.turnsMs.map(Math.round).sort((a, b) => a - b);
    console.log(`chaos: longest turn of each seed, in ms: ${turnsMs.join(", ")}`);
    expect(found.problems).toEqual([]);
    // The compiler and other programs lengthen some.
    if (isFullEffort) expect(turnsMs[turnsMs.length >> 1]).toBeLessThan(100);
  });
});
