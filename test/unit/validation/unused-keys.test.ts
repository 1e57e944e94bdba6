// Keys without a meaning are reported instead of being accepted and ignored.
import { expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions } from "../../../src/index.ts";
import { problemPaths } from "../../support/invalid-values.ts";

it.each(["anticipatory", "classic"] as const)("the %s profile reports the option snapshot as unknown", (profile) => {
  for (const snapshot of [null, { version: 1, takenEpochMs: 0, state: {} }]) {
    expect(problemPaths(() => new GrateLimiter({ profile, snapshot } as GrateLimiterOptions))).toEqual(["snapshot"]);
  }
});

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
