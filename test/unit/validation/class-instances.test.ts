import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig } from "../../../src/index.ts";

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act();
  } catch (error) {
    if (InvalidConfig.is(error)) return error.problems.map(({ path }) => path);
    throw error;
  }
  return [];
}

describe("a configuration that is an instance of a class", () => {
  class Config {
    readonly name: string = "a";
    get limits() {
      return { rpm: -5 };
    }
    get priority() {
      return Number.NaN;
    }
  }

  it("a class instance is validated like plain data", () => {
    const providers = [new Config()];
    expect([...problemsOf(() => new GrateLimiter({ providers }))].sort()).toEqual([
      "providers[0].limits.rpm",
      "providers[0].priority",
    ]);
  });

  it("a valid class instance is accepted", () => {
    class Right {
      readonly name: string = "a";
      get limits() {
        return { rpm: 5 };
      }
    }
    const limiter = new GrateLimiter({ providers: [new Right()] });
    expect(limiter.remainingQuota("a", "requests")).toBe(5);
  });
});

it("an invalid field is reported once", () => {
  const wrong = [
    { name: "", quotas: [{ dimension: "concurrency", limit: 1, burst: -1 }] },
    { name: "", pools: [""] },
  ];
  const paths = problemsOf(() => new GrateLimiter({ providers: wrong as never }));
  expect(paths.length).toBe(new Set(paths).size);
  expect([...paths].sort()).toEqual([
    "providers[0].name",
    "providers[0].quotas[0].burst",
    "providers[1].name",
    "providers[1].pools[0]",
  ]);
});
