import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { failuresOf } from "../../../conformance/typescript/expectations.ts";
import { fixtureFiles, readFixture } from "../../../conformance/typescript/run.ts";

const schema = JSON.parse(readFileSync(new URL("../../../conformance/fixture.schema.json", import.meta.url), "utf8"));
const isFixture = new Ajv2020({ allErrors: true }).compile(schema);
const fixtures = fixtureFiles().map((file) => ({ file, fixture: readFixture(file) }));

describe("fixtures", () => {
  it("there are at least 24 fixtures, 12 of them for both profiles", () => {
    expect(fixtures.length).toBeGreaterThanOrEqual(24);
    expect(fixtures.filter(({ fixture }) => fixture.profile?.length === 2).length).toBeGreaterThanOrEqual(12);
  });

  it.each(fixtures)("the fixture $fixture.name has the right format and file name", ({ file, fixture }) => {
    isFixture(fixture);
    expect(isFixture.errors).toBeNull();
    expect(file.endsWith(`/${fixture.name}.json`)).toBe(true);
  });
});

// One profile at a time, so that coverage shows which profile reaches a piece of code.
describe.each(["classic", "anticipatory"] as const)("fixtures of the profile %s", (profile) => {
  const own = fixtures.filter(({ fixture }) => (fixture.profile ?? ["classic"]).includes(profile));
  it.each(own)("the engine answers the fixture $fixture.name as expected", ({ fixture }) => {
    expect(failuresOf(fixture, profile)).toEqual([]);
  });
});
