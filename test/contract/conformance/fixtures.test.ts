import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { failuresOf } from "../../../conformance/typescript/expectations.ts";
import { fixtureFiles, readFixture } from "../../../conformance/typescript/run.ts";

const schema = JSON.parse(readFileSync(new URL("../../../conformance/fixture.schema.json", import.meta.url), "utf8"));
const isFixture = new Ajv2020({ allErrors: true }).compile(schema);
const fixtures = fixtureFiles().map((file) => ({ file, fixture: readFixture(file) }));

describe("fixtures", () => {
  it("are at least 24, 12 of them for both profiles", () => {
    expect(fixtures.length).toBeGreaterThanOrEqual(24);
    expect(fixtures.filter(({ fixture }) => fixture.profile?.length === 2).length).toBeGreaterThanOrEqual(12);
  });

  it.each(fixtures)("$fixture.name is of the format, and in a file of its name", ({ file, fixture }) => {
    isFixture(fixture);
    expect(isFixture.errors).toBeNull();
    expect(file.endsWith(`/${fixture.name}.json`)).toBe(true);
  });
});

// A profile at a time, so that it can be told which of them reaches a piece of code.
describe.each(["classic", "anticipatory"] as const)("%s", (profile) => {
  const own = fixtures.filter(({ fixture }) => (fixture.profile ?? ["classic"]).includes(profile));
  it.each(own)("$fixture.name", ({ fixture }) => {
    expect(failuresOf(fixture, profile)).toEqual([]);
  });
});
