// No test is left out: the full run contains every test file, and the short run misses only the long servers.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import config from "../../vitest.config.ts";

interface Project {
  readonly test: {
    readonly name: string;
    readonly include: string[];
    readonly exclude: string[];
    readonly env: object;
  };
}

/** Supports a path and the ending that the projects use: all test files below a folder. */
function matchesGlob(file: string, glob: string): boolean {
  const folder = glob.replace(/\*\*\/\*\.test\.ts$/, "");
  return folder === glob ? file === glob : file.startsWith(folder) && file.endsWith(".test.ts");
}

function projectsIn(mode: string): readonly Project[] {
  return config({ command: "serve", mode }).test!.projects as unknown as readonly Project[];
}

/** Returns the projects that contain a file in a mode of Vitest. */
function projectsOf(file: string, mode: string): string[] {
  const projects = projectsIn(mode);
  const matches = (globs: readonly string[]) => globs.some((glob) => matchesGlob(file, glob));
  return projects.filter(({ test }) => matches(test.include) && !matches(test.exclude)).map(({ test }) => test.name);
}

const FILES = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".test.ts"))
  .map((path) => join("test", path).replaceAll("\\", "/"));

it("the full run contains every test file exactly once", () => {
  expect(FILES.length).toBeGreaterThan(100);
  expect(FILES.filter((file) => projectsOf(file, "full").length !== 1)).toEqual([]);
});

it("the short run leaves out only the two tests that saturate real servers", () => {
  expect(FILES.filter((file) => projectsOf(file, "test").length !== 1).sort()).toEqual([
    "test/integration/http/mixed-endings.test.ts",
    "test/integration/http/saturation.test.ts",
  ]);
});

it("every project knows its mode, so that the full run has the full number of seeds", () => {
  for (const mode of ["full", "test"]) {
    expect(projectsIn(mode).map(({ test }) => test.env)).toEqual([{ TEST_EFFORT: mode }, { TEST_EFFORT: mode }]);
  }
});
