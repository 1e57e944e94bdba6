// The same calls in runtimes with replaced or frozen globals, each in a separate process.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../support/packed/command.ts";
import { root } from "../support/packed/packed-project.ts";

const EXPECTED = {
  failover: Array(6).fill("b"),
  waiting: 2,
  timeOut: [true, "NoAvailableProviders", "attempts_failed", 1, "TimeoutError"],
  abort: ["status 1", "status 1"],
  foreignSignal: ["left", 0],
  stream: [[0, 1, 2], true],
  map: (50 * 49) / 2 - 7 + 1_000,
  otherRealm: [1, ["server_error", "success"], 6],
  observe: [90, 80, 0],
  messages: [
    "NoAvailableProviders",
    'no provider available for "chat": "a" can never take 5,000 tokens: its limit is 1,000 per minute',
    'NoAvailableProviders: no provider available for "chat": "a" can never take 5,000 tokens: its limit is 1,000 per minute',
  ],
};

interface Runtime {
  readonly name: string;
  /** Runs before the program, and replaces globals. */
  readonly prelude?: string;
  readonly flags?: readonly string[];
  readonly build?: BuildOptions;
}

const RUNTIMES: readonly Runtime[] = [
  { name: "plain Node" },
  { name: "zone.js", prelude: 'import "zone.js/node";' },
  { name: "Bluebird", prelude: 'import Bluebird from "bluebird"; globalThis.Promise = Bluebird;' },
  { name: "core-js", prelude: 'import "core-js/full/index.js";' },
  { name: "SES", prelude: 'import "ses"; lockdown();' },
  { name: "SES without repairs", prelude: 'import "ses"; lockdown({ overrideTaming: "min", errorTaming: "safe" });' },
  { name: "frozen intrinsics", flags: ["--frozen-intrinsics"] },
  {
    name: "frozen prototypes",
    prelude:
      "for (const type of [Object, Error, TypeError, Array, Map, Set, Promise, Function]) Object.freeze(type.prototype);",
  },
  {
    name: "inherited enumerable keys",
    prelude: "Object.prototype.surplus = () => {}; Array.prototype.surplus = () => {};",
  },
  { name: "a minified bundle", build: { minify: true } },
  { name: "a minified bundle for old targets", build: { minify: true, target: "es2022" } },
];

describe("runtimes", () => {
  let directory = "";
  beforeAll(() => {
    // Inside of the repository, so that the preludes find its dependencies.
    mkdirSync(join(root, ".cache"), { recursive: true });
    directory = mkdtempSync(join(root, ".cache/matrix-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(RUNTIMES)("calls have the same results with $name", async ({ name, prelude, flags = [], build: options }) => {
    const file = join(directory, `${name.replaceAll(" ", "-")}.mjs`);
    await build({
      entryPoints: [join(root, "test/support/runtimes/program.ts")],
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      alias: { "grate-limiter": join(root, "src/index.ts") },
      ...options,
    });
    const before = join(directory, `before-${name.replaceAll(" ", "-")}.mjs`);
    writeFileSync(before, prelude ?? "");
    const args = [...flags, "--no-warnings", "--import", before, file];
    const { exitCode, stdout, stderr } = await run(process.execPath, args, { cwd: directory, timeLimitMs: 60_000 });
    expect(exitCode, stderr).toBe(0);
    // SES removes the separators of large numbers.
    const withoutSeparators = (text: string) => JSON.parse(text.replaceAll(/(?<=\d),(?=\d{3} |\d{3}")/g, ""));
    const printed = withoutSeparators(stdout.trim().split("\n").at(-1)!);
    expect(printed).toEqual(withoutSeparators(JSON.stringify(EXPECTED)));
  });
});
