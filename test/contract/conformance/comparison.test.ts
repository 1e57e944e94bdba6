import { describe, expect, it } from "vitest";
import { described, differencesOf, isNear } from "../../../conformance/random/comparison.ts";

const decision = {
  provider: "a",
  score: 0.9,
  breakdown: [1, 0.75, 0.5, 1],
  alternatives: [
    ["b", 0.8],
    ["c", 0.7],
  ] as const,
};

describe("the comparison of two answers", () => {
  it("numbers within the tolerance are equal, and no others", () => {
    expect(isNear(0.5, 0.5 + 0.9e-9, 1e-9)).toBe(true);
    expect(isNear(0.5, 0.5 + 1.1e-9, 1e-9)).toBe(false);
  });

  it("the tolerance is relative above 1 only", () => {
    expect(isNear(1000.5, 1000.5 + 0.9e-6, 1e-9)).toBe(true);
    expect(isNear(1000.5, 1000.5 + 1.2e-6, 1e-9)).toBe(false);
    expect(isNear(0.001, 0.001 + 0.9e-9, 1e-9)).toBe(true);
  });

  it("integers must be equal, however large they are", () => {
    expect(isNear(1e12, 1e12 - 1, 1e-5)).toBe(false);
    expect(isNear(1e12, 1e12, 1e-5)).toBe(true);
  });

  it.each([
    ["provider", { ...decision, provider: "b" }, ["provider"]],
    ["score", { ...decision, score: 0.9 + 1e-8 }, ["score"]],
    ["part", { ...decision, breakdown: [1, 0.75, 0.5, 0.9] }, ["breakdown.3"]],
    ["order", { ...decision, alternatives: [decision.alternatives[1], decision.alternatives[0]] }, 4],
    ["score of an alternative", { ...decision, alternatives: [["b", 0.8] as const, ["c", 0.71] as const] }, 1],
    ["alternative less", { ...decision, alternatives: [decision.alternatives[0]] }, ["alternatives.1"]],
    ["refusal", { error: "no_available_providers" }, 5],
  ])("the comparison detects a difference of %s", (_, other, expected) => {
    const paths = differencesOf(decision, other, 1e-9).map(({ path }) => path);
    if (typeof expected === "number") expect(paths).toHaveLength(expected);
    else expect(paths).toEqual(expected);
  });

  it("null, false and 0 are different", () => {
    expect(differencesOf(null, 0, 1e-9)).toHaveLength(1);
    expect(differencesOf(false, 0, 1e-9)).toHaveLength(1);
    expect(differencesOf(null, null, 1e-9)).toHaveLength(0);
    expect(differencesOf(null, {}, 1e-9)).toHaveLength(1);
    expect(differencesOf([], {}, 1e-9)).toHaveLength(1);
  });

  it("the comparison detects a value that only one of the answers has", () => {
    expect(differencesOf({ selects: 1 }, { selects: 1, observations: 0 }, 1e-9)).toEqual([
      { path: "observations", one: undefined, other: 0 },
    ]);
  });

  it("the comparison describes the differences", () => {
    const [difference] = differencesOf({ selects: 1 }, { selects: 2 }, 1e-9);
    expect(described(difference!, ["python", "rust"])).toBe("selects: python 1, rust 2");
  });
});
