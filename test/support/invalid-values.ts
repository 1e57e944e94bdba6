// Values that are invalid as configuration, and the problems that a call reports for them.
import { InvalidConfig } from "../../src/index.ts";

/** Values that are never a valid number. */
export const NO_NUMBERS: readonly unknown[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0.001, -1e308],
  ...["5", "", null, 5n, true, {}, [], [5], Symbol("5"), () => 5],
];

/** Values that are never a non-empty string. */
export const NO_NAMES: readonly unknown[] = ["", 5, Number.NaN, null, true, {}, ["a"], 5n, Symbol("a"), () => "a"];

/** Values that are never a plain object with known keys. */
export const NO_OBJECTS: readonly unknown[] = [null, 5, "a", true, 5n, [], [{}], () => ({})];

/** Values that are never a list. */
export const NO_LISTS: readonly unknown[] = [null, 5, "a", true, {}, { length: 1, 0: "a" }, new Set(["a"]), () => []];

/** Returns the sorted paths of all problems that a call reports. Empty if it throws no InvalidConfig. */
export function problemPaths(call: () => unknown): string[] {
  return problems(call)
    .map(({ path }) => path)
    .sort();
}

/** Returns all problems that a call reports. Rethrows any other error. */
export function problems(call: () => unknown): InvalidConfig["problems"] {
  try {
    call();
    return [];
  } catch (error) {
    if (!InvalidConfig.is(error)) throw error;
    return error.problems;
  }
}

/** Returns a copy of `config` with `value` at a path such as `providers[0].quotas[1].limit`. */
export function withValueAt(config: unknown, path: string, value: unknown): unknown {
  const [step, ...rest] = path.match(/[^.[\]]+/g) ?? [];
  if (step === undefined) return value;
  const inner = withValueAt((config as { [key: string]: unknown } | undefined)?.[step], rest.join("."), value);
  if (!Array.isArray(config)) return { ...(config as object | undefined), [step]: inner };
  const copy: unknown[] = [...config];
  copy[Number(step)] = inner;
  return copy;
}
