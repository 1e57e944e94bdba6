import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { failuresOf } from "../conformance/typescript/expectations.ts";
import { fixtureFiles, readFixture } from "../conformance/typescript/run.ts";

const schema = JSON.parse(readFileSync(new URL("../conformance/fixture.schema.json", import.meta.url), "utf8"));
const isFixture = new Ajv2020({ allErrors: true }).compile(schema);
const fixtures = fixtureFiles().map((file) => ({ file, fixture: readFixture(file) }));

describe("conformance fixtures", () => {
  it("are at least 24, 12 of them for both profiles", () => {
    expect(fixtures.length).toBeGreaterThanOrEqual(24);
    expect(fixtures.filter(({ fixture }) => fixture.profile?.length === 2).length).toBeGreaterThanOrEqual(12);
  });

  it.each(fixtures)("$fixture.name", ({ file, fixture }) => {
    isFixture(fixture);
    expect(isFixture.errors).toBeNull();
    expect(file.endsWith(`/${fixture.name}.json`)).toBe(true);
    for (const profile of fixture.profile ?? ["classic"]) expect(failuresOf(fixture, profile), profile).toEqual([]);
  });

  it("fail when an expectation is off by more than the tolerance", () => {
    const fixture = readFixture(fixtureFiles().find((file) => file.includes("failover-and-return.json"))!);
    const wrong = { ...fixture, steps: [...fixture.steps, { action: "check_health" as const, provider: "primary", expect: 2 }] };
    expect(failuresOf(wrong, "classic").length).toBeGreaterThan(0);
  });
});
