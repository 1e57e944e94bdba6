import { describe, expect, it } from "vitest";
import { failuresOf } from "../../../conformance/typescript/expectations.ts";
import type { Fixture, Step } from "../../../conformance/typescript/fixture.ts";
import { fixtureFiles, readFixture } from "../../../conformance/typescript/run.ts";

const file = fixtureFiles().find((name) => name.endsWith("/failover-without-return.json"))!;
const fixture = readFixture(file);

/** The fixture with one more step at its end. */
function withStep(step: Step): Fixture {
  return { ...fixture, steps: [...fixture.steps, step] };
}

describe("a fixture", () => {
  it("an unchanged fixture passes", () => {
    expect(failuresOf(fixture, "classic")).toEqual([]);
  });

  it.each<Step>([
    { action: "check_health", provider: "primary", expect: 2 },
    { action: "check_health", provider: "nobody", expect_min: 0 },
    { action: "check_in_cooldown", provider: "primary", expect: true },
    { action: "check_remaining", provider: "primary", dimension: "bytes", expect: 1 },
    { action: "check_metrics", expect: { selects: 1_000 } },
    { action: "select", capability: "nothing" },
    { action: "observe", provider: "nobody", status: "success" },
    { action: "observe", provider: "primary", status: "success", expect_error: "unknown_provider" },
  ])("a fixture with another expectation of $action fails", (step) => {
    expect(failuresOf(withStep(step), "classic")).toHaveLength(1);
  });

  it.each([
    ["provider", { expect_provider: "nobody" }],
    ["score", { expect_score: 0.123 }],
    ["range", { expect_score_min: 0.999, expect_score_max: 0.9991 }],
    ["number of alternatives", { expect_alternatives_count: 9 }],
    ["alternatives", { expect_alternatives: [] }],
    ["part", { expect_breakdown: { latency: 0.123 } }],
    ["error", { expect_error: "no_available_providers" }],
  ])("a fixture with another expected %s of a selection fails", (_, expectations) => {
    const steps = fixture.steps.map((step) => (step.action === "select" ? { ...step, ...expectations } : step));
    expect(failuresOf({ ...fixture, steps }, "classic")).not.toEqual([]);
  });

  it("a difference of 1e-9 passes, and one of 0.001 beyond a range fails", () => {
    const health = (expectations: object) =>
      failuresOf(
        { name: "x", providers: [{ name: "a" }], steps: [{ action: "check_health", provider: "a", ...expectations }] },
        "classic",
      );
    expect(health({ expect: 1 - 0.9e-9 })).toEqual([]);
    expect(health({ expect: 1 - 1.1e-9 })).toHaveLength(1);
    expect(health({ expect_min: 1.0009 })).toEqual([]);
    expect(health({ expect_min: 1.0011 })).toHaveLength(1);
  });
});
