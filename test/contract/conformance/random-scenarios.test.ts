import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { fixtureOf, fixtureText } from "../../../conformance/random/expected.ts";
import { CHOICE, Occurrences } from "../../../conformance/random/kinds.ts";
import { scenarioOf } from "../../../conformance/random/scenario.ts";
import { SeededRandom } from "../../../conformance/random/seeded-random.ts";
import { failuresOf } from "../../../conformance/typescript/expectations.ts";
import { answersOf } from "../../support/conformance-engines.ts";

const schema = JSON.parse(readFileSync(new URL("../../../conformance/fixture.schema.json", import.meta.url), "utf8"));
const isFixture = new Ajv2020({ allErrors: true }).compile(schema);
const scenarios = Array.from({ length: 200 }, (_, index) => scenarioOf(7, index));

describe("random scenarios", () => {
  it("a scenario depends on its seed and number only", () => {
    expect(scenarioOf(7, 123)).toEqual(scenarios[123]);
    expect(JSON.stringify(scenarioOf(7, 3))).toBe(JSON.stringify(scenarios[3]));
    expect(scenarioOf(8, 123)).not.toEqual({ ...scenarios[123], name: "random-8-123" });
  });

  it("200 scenarios contain every kind, and 20 % of their steps are choices", () => {
    const occurrences = new Occurrences();
    for (const scenario of scenarios) occurrences.add(scenario, answersOf(scenario));
    expect(occurrences.missing).toEqual([]);
    expect(occurrences.counts.get(CHOICE)! / occurrences.answers).toBeGreaterThan(0.25);
  });

  it("a scenario reads the whole state after every tenth step and at the end, and the counters at the end", () => {
    for (const { steps } of scenarios) {
      expect(steps.slice(-2).map(({ action }) => action)).toEqual(["probe", "check_metrics"]);
      const probes = steps.flatMap(({ action }, place) => (action === "probe" ? [place] : []));
      const longest = Math.max(...probes.map((place, i) => place - (probes[i - 1] ?? -1)));
      expect(longest).toBeLessThanOrEqual(12);
    }
  });

  it("a scenario with its expectations is a valid fixture", () => {
    for (const scenario of scenarios) {
      const answers = answersOf(scenario);
      const fixture = fixtureOf(scenario, answers, "drawn at random");
      isFixture(fixture);
      expect(isFixture.errors).toBeNull();
      expect(failuresOf(fixture, "classic")).toEqual([]);
      expect(JSON.parse(fixtureText(fixture))).toEqual(fixture);
    }
  });

  it("a missing kind is always reported", () => {
    const occurrences = new Occurrences();
    occurrences.add(scenarios[0]!, answersOf(scenarios[0]!));
    expect(occurrences.missing).toContain("capability: all priorities 0");
  });
});

describe("SeededRandom", () => {
  it("SeededRandom draws the same numbers on every machine", () => {
    const random = new SeededRandom(1, 2, 3);
    expect([random.whole(0, 1e12), random.whole(1, 6), random.fraction()]).toMatchInlineSnapshot(`
      [
        21548772314,
        1,
        0.09979948397173699,
      ]
    `);
  });

  it("SeededRandom draws both ends of a range and every number between them", () => {
    const random = new SeededRandom(5);
    const drawn = new Set(Array.from({ length: 200 }, () => random.whole(1, 6)));
    expect([...drawn].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("SeededRandom shuffles a list without losing an element", () => {
    const random = new SeededRandom(5);
    expect(random.shuffled([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
  });
});
