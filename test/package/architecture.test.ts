// Checks the structure of the source: the direction of imports, the names that a file can use, the length of a file.
// `architecture-rules.test.ts` checks that each rule here can fail.
import ts from "typescript";
import { describe, expect, it } from "vitest";
import {
  describeEdge,
  folderOf,
  importCycles,
  importsLeaving,
  mutualFolders,
  unrankedFiles,
  upwardImports,
} from "../support/import-graph.ts";
import { booleanMembers, mentions, profileComparisons, readSource } from "../support/source-files.ts";

/** The folders and files in the order in which a request flows through the source. Imports point down only. */
const ORDER = [
  "http",
  "monitor",
  "index.ts",
  "limiter.ts",
  "inspect.ts",
  "run",
  "admission",
  "selection",
  "observation",
  "snapshot",
  "provider",
  "classic",
  "profile",
  "quota",
  "health",
  "scoring",
  "validation",
  "clock",
  "events.ts",
  "metrics.ts",
  "errors.ts",
  "message-text.ts",
  "api",
];

const MAX_LINES = 320;

const FILES = readSource();
const IMPORTS = FILES.flatMap((file) => file.imports);
const isProfileFile = (path: string) => ["classic", "profile"].includes(folderOf(path));

describe("imports in the source", () => {
  it("the parser finds imports of values and types", () => {
    expect(FILES.length).toBeGreaterThan(80);
    expect(IMPORTS.filter(({ isType }) => !isType).length).toBeGreaterThan(150);
    expect(IMPORTS.filter(({ isType }) => isType).length).toBeGreaterThan(150);
  });

  it("imports name files of the source only: no package and no runtime module", () => {
    const known = new Set(FILES.map(({ path }) => path));
    expect(IMPORTS.filter(({ to }) => !known.has(to)).map(describeEdge)).toEqual([]);
  });

  it("every file has a place in the order of folders, and every place has a file", () => {
    const paths = FILES.map(({ path }) => path);
    expect(unrankedFiles(paths, ORDER)).toEqual([]);
    expect(ORDER.filter((name) => !paths.some((path) => folderOf(path) === name))).toEqual([]);
  });

  it("imports point down the order of folders or stay in their folder, type imports included", () => {
    expect(upwardImports(IMPORTS, ORDER).map(describeEdge)).toEqual([]);
  });

  it("imports form no cycle between files, type imports included", () => {
    expect(importCycles(IMPORTS)).toEqual([]);
  });

  it("no two folders import each other", () => {
    expect(mutualFolders(IMPORTS)).toEqual([]);
  });

  it("the folder of the public types imports nothing outside itself", () => {
    expect(importsLeaving(IMPORTS, "api").map(describeEdge)).toEqual([]);
  });

  it("only limiter.ts imports inspect.ts", () => {
    const importers = IMPORTS.filter(({ to }) => to === "inspect.ts").map(({ from }) => from);
    expect(importers.filter((path) => path !== "limiter.ts")).toEqual([]);
  });

  it("quota, health and scoring import no running clock, no events and no providers", () => {
    const pure = IMPORTS.filter(({ from }) => ["quota", "health", "scoring"].includes(folderOf(from)));
    const banned = [
      ...["events.ts", "metrics.ts", "api/events.ts", "api/metrics.ts", "api/clock.ts"],
      ...["clock/engine-time.ts", "clock/mock-clock.ts", "clock/real-clock.ts"],
    ];
    const isBanned = (to: string) =>
      banned.includes(to) || ["provider", "selection", "observation"].includes(folderOf(to));
    expect(pure.filter(({ to }) => isBanned(to)).map(describeEdge)).toEqual([]);
  });
});

describe("the two profiles", () => {
  it("the profiles are named only in their own folders, where the option is declared, and in limiter.ts", () => {
    const naming = FILES.filter((file) => mentions(file, ["classic", "anticipatory"]).length > 0);
    const elsewhere = naming.map(({ path }) => path).filter((path) => !isProfileFile(path));
    expect(elsewhere).toEqual(["api/options.ts", "limiter.ts"]);
  });

  it("the profiles are compared nowhere outside their own folders", () => {
    const comparing = FILES.filter(({ path }) => !isProfileFile(path)).flatMap(profileComparisons);
    expect(comparing).toEqual([]);
  });

  it.each([
    ["profile/profile.ts", "Profile"],
    ["validation/vocabulary.ts", "Vocabulary"],
  ])(
    "the profiles have no flags: no member of the interface in %s is boolean or returns a boolean",
    (path, interfaceName) => {
      const file = FILES.find((one) => one.path === path);
      expect(file, path).toBeDefined();
      expect(booleanMembers(file!, interfaceName)).toEqual([]);
    },
  );
});

describe("the source", () => {
  it("the source names no runtime", () => {
    const names = ["process", "Buffer", "require", "__dirname", "Deno", "Bun", "document"];
    expect(FILES.flatMap((file) => mentions(file, names))).toEqual([]);
  });

  it("timers and clocks are used in the clock folder only", () => {
    const timers = ["setTimeout", "clearTimeout", "setInterval", "setImmediate", "queueMicrotask"];
    const clocks = ["performance", "Date"];
    const others = FILES.filter(({ path }) => folderOf(path) !== "clock");
    expect(others.flatMap((file) => mentions(file, [...timers, ...clocks]))).toEqual([]);
  });

  it(`no file is longer than ${MAX_LINES} lines`, () => {
    const long = FILES.filter(({ lines }) => lines > MAX_LINES);
    expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });

  it("file and folder names are in kebab-case, and none is vague", () => {
    const names = FILES.flatMap(({ path }) => path.replace(/\.ts$/, "").split("/"));
    expect(names.filter((name) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    const vague = ["utils", "util", "types", "helpers", "helper", "constants", "common", "misc", "shared"];
    expect(names.filter((name) => vague.includes(name))).toEqual([]);
  });

  it("index.ts lists every public name by hand, without `export *`", () => {
    const { tree } = FILES.find(({ path }) => path === "index.ts")!;
    for (const statement of tree.statements) {
      expect(ts.isExportDeclaration(statement) && statement.exportClause !== undefined, statement.getText()).toBe(true);
    }
  });
});
