// Keys without a meaning are reported instead of being accepted and ignored.
import { expect, it } from "vitest";
import { GrateLimiter } from "../../../src/index.ts";
import { problemPaths } from "../../support/invalid-values.ts";

it.each([
  ["anticipatory", "headers"],
  ["classic", "headers"],
  ["classic", "reported"],
] as const)("observe of the %s profile reports outcome.%s as unknown or not allowed", (profile, key) => {
  const limiter = new GrateLimiter({ profile, providers: [{ name: "a" }] });
  const outcome = { status: "success", [key]: [] } as const;
  expect(problemPaths(() => limiter.observe({ provider: "a", outcome }))).toEqual([`outcome.${key}`]);
  expect(limiter.metrics.observations).toBe(0);
});
