// Values that are no configuration, and how a call answers them.
import { InvalidConfig } from "../../src/index.ts";

/** Never a number in configuration. */
export const NO_NUMBERS: readonly unknown[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0.001, -1e308],
  ...["5", "", null, 5n, true, {}, [], [5], Symbol("5"), () => 5],
];

/** Never a non-empty string. */
export const NO_NAMES: readonly unknown[] = ["", 5, Number.NaN, null, true, {}, ["a"], 5n, Symbol("a"), () => "a"];

/** Never a plain object of known keys. */
export const NO_OBJECTS: readonly unknown[] = [null, 5, "a", true, 5n, [], [{}], () => ({})];

/** Never a list. */
export const NO_LISTS: readonly unknown[] = [null, 5, "a", true, {}, { length: 1, 0: "a" }, new Set(["a"]), () => []];

/** The paths of all problems that a call names, sorted; empty if it is no InvalidConfig, or nothing is thrown. */
export function problemPaths(call: () => unknown): string[] {
  return problems(call)
    .map(({ path }) => path)
    .sort();
}

/** All problems that a call names; what else it throws is rethrown. */
export function problems(call: () => unknown): InvalidConfig["problems"] {
  try {
    call();
    return [];
  } catch (error) {
    if (!InvalidConfig.is(error)) throw error;
    return error.problems;
  }
}

/** A copy of `config` with `value` at a path such as `providers[0].quotas[1].limit`. */
export function withValueAt(config: unknown, path: string, value: unknown): unknown {
  const [step, ...rest] = path.match(/[^.[\]]+/g) ?? [];
  if (step === undefined) return value;
  const inner = withValueAt((config as { [key: string]: unknown } | undefined)?.[step], rest.join("."), value);
  if (!Array.isArray(config)) return { ...(config as object | undefined), [step]: inner };
  const copy: unknown[] = [...config];
  copy[Number(step)] = inner;
  return copy;
}
