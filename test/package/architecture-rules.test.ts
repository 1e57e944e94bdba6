// Checks on small made-up sources that the rules of `architecture.test.ts` can fail.
import { describe, expect, it } from "vitest";
import { importCycles, importsLeaving, mutualFolders, unrankedFiles, upwardImports } from "../support/import-graph.ts";
import { booleanMembers, mentions, parseSource, profileComparisons } from "../support/source-files.ts";

/** Reads imports from lines such as "a.ts -> b.ts". */
const edges = (...lines: string[]) =>
  lines.map((line) => line.split(" -> ")).map(([from, to]) => ({ from: from!, to: to! }));

const ORDER = ["index.ts", "run", "quota", "errors.ts", "api"];

describe("the search for import cycles", () => {
  it("the search finds no cycle in a chain and a diamond", () => {
    expect(importCycles(edges("a -> b", "b -> c"))).toEqual([]);
    expect(importCycles(edges("a -> b", "a -> c", "b -> d", "c -> d"))).toEqual([]);
    expect(importCycles([])).toEqual([]);
  });

  it("the search finds two files that import each other, whichever comes first", () => {
    expect(importCycles(edges("a -> b", "b -> a"))).toEqual([["a", "b"]]);
    expect(importCycles(edges("b -> a", "a -> b"))).toEqual([["a", "b"]]);
  });

  it("the search finds a file that imports itself", () => {
    expect(importCycles(edges("a -> a", "a -> b"))).toEqual([["a"]]);
  });

  it("the search finds a long cycle behind files that are in none", () => {
    expect(importCycles(edges("x -> a", "a -> b", "b -> c", "c -> d", "d -> a", "d -> y"))).toEqual([
      ["a", "b", "c", "d"],
    ]);
  });

  it("the search finds a cycle that is reached only after a finished branch", () => {
    expect(importCycles(edges("a -> b", "b -> e", "a -> c", "c -> e", "c -> d", "d -> c"))).toEqual([["c", "d"]]);
  });

  it("the search reports separate cycles separately, and cycles with a common file as one group", () => {
    expect(importCycles(edges("a -> b", "b -> a", "c -> d", "d -> c", "b -> c"))).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    expect(importCycles(edges("a -> b", "b -> a", "b -> c", "c -> b"))).toEqual([["a", "b", "c"]]);
  });
});

describe("the check of import directions", () => {
  it("imports that point down or stay in their folder are accepted", () => {
    expect(
      upwardImports(edges("index.ts -> api/a.ts", "run/a.ts -> run/b.ts", "quota/a.ts -> errors.ts"), ORDER),
    ).toEqual([]);
  });

  it("imports that point up are found, also from a file in no folder", () => {
    const up = edges("quota/a.ts -> run/b.ts", "api/a.ts -> errors.ts", "errors.ts -> index.ts");
    expect(upwardImports([...up, ...edges("run/a.ts -> quota/b.ts")], ORDER)).toEqual(up);
  });

  it("imports of a file without a place are found, and the file is named", () => {
    expect(upwardImports(edges("run/a.ts -> other/b.ts"), ORDER)).toHaveLength(1);
    expect(unrankedFiles(["run/a.ts", "other/b.ts", "api/run"], ORDER)).toEqual(["other/b.ts"]);
  });

  it("two folders that import each other through different files are found", () => {
    expect(mutualFolders(edges("run/a.ts -> quota/b.ts", "quota/c.ts -> run/d.ts"))).toEqual(["quota <-> run"]);
    expect(mutualFolders(edges("run/a.ts -> quota/b.ts", "run/a.ts -> run/b.ts"))).toEqual([]);
  });

  it("imports that leave a folder are found", () => {
    const leaving = edges("api/a.ts -> errors.ts");
    expect(importsLeaving([...leaving, ...edges("api/a.ts -> api/b.ts", "run/a.ts -> api/a.ts")], "api")).toEqual(
      leaving,
    );
  });
});

describe("the parser of the source", () => {
  it("the parser finds every form of import, and resolves paths from the importing file", () => {
    const { imports } = parseSource(
      "run/a.ts",
      `import { b } from "./b.ts";
       import type { C } from "../api/c.ts";
       import { type D } from "../d.ts";
       export type { E } from "./inner/e.ts";
       export * from "../f.ts";
       import "a-package";
       const g = import("../g.ts");
       const h = require("node:fs");
       let i: import("../i.ts").I;`,
    );
    expect(imports.map(({ to, isType }) => [to, isType])).toEqual([
      ["run/b.ts", false],
      ["api/c.ts", true],
      ["d.ts", false],
      ["run/inner/e.ts", true],
      ["f.ts", false],
      ["a-package", false],
      ["g.ts", false],
      ["node:fs", false],
      ["i.ts", true],
    ]);
  });

  it("names are found in code and strings, but not in comments or longer names", () => {
    const file = parseSource("a.ts", `// classic\nconst a = "classic"; classic(); const classical = 1; /* classic */`);
    expect(mentions(file, ["classic"])).toEqual(["a.ts: classic", "a.ts: classic"]);
    expect(mentions(file, ["Date"])).toEqual([]);
  });

  it.each([
    `if (options.profile === "x") run();`,
    `const a = this.#profile !== other;`,
    `switch (profile) { default: }`,
    `const a = profile instanceof Profile;`,
    `const a = anticipatory == limiter.profile;`,
  ])("a comparison of a profile is found in: %s", (code) => {
    expect(profileComparisons(parseSource("a.ts", code))).toEqual(["a.ts"]);
  });

  it.each([`const a = profile.weight(1) === 2;`, `const a = profile;`, `const a = profiles === 1;`])(
    "no comparison of a profile is found in: %s",
    (code) => {
      expect(profileComparisons(parseSource("a.ts", code))).toEqual([]);
    },
  );

  it("boolean members of an interface are found, nested ones included", () => {
    const file = parseSource(
      "a.ts",
      `interface A { readonly isA: boolean; b(x: boolean): number; c(): boolean; d: { e: true }; f: string }`,
    );
    expect(booleanMembers(file, "A")).toEqual(["isA", "c", "d", "e"]);
    expect(booleanMembers(file, "B")).toBeNull();
  });
});
