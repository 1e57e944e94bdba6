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
  "index.ts",
  "limiter.ts",
  "inspect.ts",
  "run",
  "admission",
  "selection",
  "observation",
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
  "api",
];

const MAX_LINES = 320;

const FILES = readSource();
const IMPORTS = FILES.flatMap((file) => file.imports);
const isProfileFile = (path: string) => ["classic", "profile"].includes(folderOf(path));

describe("imports in the source", () => {
  it("are found by the parser, values and types", () => {
    expect(FILES.length).toBeGreaterThan(80);
    expect(IMPORTS.filter(({ isType }) => !isType).length).toBeGreaterThan(150);
    expect(IMPORTS.filter(({ isType }) => isType).length).toBeGreaterThan(150);
  });

  it("name files of the source only: no package and no runtime module", () => {
    const known = new Set(FILES.map(({ path }) => path));
    expect(IMPORTS.filter(({ to }) => !known.has(to)).map(describeEdge)).toEqual([]);
  });

  it("can be ordered, because every file has a place in the order of folders", () => {
    const paths = FILES.map(({ path }) => path);
    expect(unrankedFiles(paths, ORDER)).toEqual([]);
    expect(ORDER.filter((name) => !paths.some((path) => folderOf(path) === name))).toEqual([]);
  });

  it("point down the order of folders or stay in their folder, type imports included", () => {
    expect(upwardImports(IMPORTS, ORDER).map(describeEdge)).toEqual([]);
  });

  it("form no cycle between files, type imports included", () => {
    expect(importCycles(IMPORTS)).toEqual([]);
  });

  it("never go both ways between two folders", () => {
    expect(mutualFolders(IMPORTS)).toEqual([]);
  });

  it("do not leave the folder of the public types", () => {
    expect(importsLeaving(IMPORTS, "api").map(describeEdge)).toEqual([]);
  });

  it("of inspect.ts exist in limiter.ts only", () => {
    const importers = IMPORTS.filter(({ to }) => to === "inspect.ts").map(({ from }) => from);
    expect(importers.filter((path) => path !== "limiter.ts")).toEqual([]);
  });

  it("keep quota, health and scoring free of running clocks, events and providers", () => {
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
  it("are named only in their own folders, where the option is declared and checked, and where it is read", () => {
    const naming = FILES.filter((file) => mentions(file, ["classic", "anticipatory"]).length > 0);
    const elsewhere = naming.map(({ path }) => path).filter((path) => !isProfileFile(path));
    expect(elsewhere).toEqual(["api/options.ts", "limiter.ts", "validation/schemas.ts"]);
  });

  it("are compared once outside their own folders, where limiter.ts reads the option", () => {
    const comparing = FILES.filter(({ path }) => !isProfileFile(path)).flatMap(profileComparisons);
    expect(comparing).toEqual(["limiter.ts"]);
  });

  it.each([
    ["profile/profile.ts", "Profile"],
    ["validation/vocabulary.ts", "Vocabulary"],
  ])("have no flags: no member of the interface in %s is boolean or returns a boolean", (path, interfaceName) => {
    const file = FILES.find((one) => one.path === path);
    expect(file, path).toBeDefined();
    expect(booleanMembers(file!, interfaceName)).toEqual([]);
  });
});

describe("the source", () => {
  it("names no runtime", () => {
    const names = ["process", "Buffer", "require", "__dirname", "Deno", "Bun", "document"];
    expect(FILES.flatMap((file) => mentions(file, names))).toEqual([]);
  });

  it("uses timers and reads clocks in the clock folder only", () => {
    const timers = ["setTimeout", "clearTimeout", "setInterval", "setImmediate", "queueMicrotask"];
    const clocks = ["performance", "Date"];
    const others = FILES.filter(({ path }) => folderOf(path) !== "clock");
    expect(others.flatMap((file) => mentions(file, [...timers, ...clocks]))).toEqual([]);
  });

  it(`has no file longer than ${MAX_LINES} lines`, () => {
    const long = FILES.filter(({ lines }) => lines > MAX_LINES);
    expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });

  it("has file and folder names in kebab-case, and none that is vague", () => {
    const names = FILES.flatMap(({ path }) => path.replace(/\.ts$/, "").split("/"));
    expect(names.filter((name) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    const vague = ["utils", "util", "types", "helpers", "helper", "constants", "common", "misc", "shared"];
    expect(names.filter((name) => vague.includes(name))).toEqual([]);
  });

  it("lists every public name by hand in index.ts, without `export *`", () => {
    const { tree } = FILES.find(({ path }) => path === "index.ts")!;
    for (const statement of tree.statements) {
      expect(ts.isExportDeclaration(statement) && statement.exportClause !== undefined, statement.getText()).toBe(true);
    }
  });
});
