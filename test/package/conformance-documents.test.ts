import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { KINDS } from "../../conformance/random/kinds.ts";
import { fixtureFiles, readFixture } from "../../conformance/typescript/run.ts";

const ports = readFileSync(new URL("../../docs/ports.md", import.meta.url), "utf8");
const fixtures = fixtureFiles().map((file) => basename(file, ".json"));

/** Names of fixtures have one or two hyphens and are in code quotes. */
const named = [...ports.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)+)`/g)]
  .map(([, name]) => name!)
  .filter((name) => name !== "grate-limiter");

describe("docs/ports.md", () => {
  it("docs/ports.md names existing fixtures only", () => {
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !fixtures.includes(name))).toEqual([]);
  });

  it("docs/ports.md names every fixture in which a published engine is known to differ", () => {
    const differing = fixtureFiles().filter((file) => readFixture(file).differs !== undefined);
    expect(differing.map((file) => basename(file, ".json")).filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe("the kinds of disagreement", () => {
  it("docs/ports.md names each kind once", () => {
    expect(new Set(KINDS).size).toBe(KINDS.length);
  });
});
