import { isRecord, type Problems } from "./problems.ts";

/** Says in `problems` what is wrong with `value`. */
export type Check = (value: unknown, path: string, problems: Problems) => void;

/** Whatever `isAllowed` says yes to; `expected` says it in words. */
export function allowed(expected: string, isAllowed: (value: never) => boolean): Check {
  return (value, path, problems) => {
    if (!isAllowed(value as never)) problems.add(path, expected, value);
  };
}

/** A finite number within the bounds. */
export function numberFrom(least: number, most: number = Number.MAX_VALUE): Check {
  const expected = most < Number.MAX_VALUE ? `a number from ${least} to ${most}` : `a finite number >= ${least}`;
  return allowed(expected, (value) => typeof value === "number" && value >= least && value <= most);
}

export const wholeNumber = (least: number): Check =>
  allowed(`a whole number >= ${least}`, (value: number) => Number.isSafeInteger(value) && value >= least);

export const positiveNumber: Check = allowed(
  "a finite number > 0",
  (value) => typeof value === "number" && value > 0 && value <= Number.MAX_VALUE,
);

export const trueOrFalse: Check = allowed("true or false", (value) => typeof value === "boolean");

export const name: Check = allowed("a non-empty string", (value) => typeof value === "string" && value !== "");

export const anyFunction: Check = allowed("a function", (value) => typeof value === "function");

export const oneOf = (words: readonly string[]): Check =>
  allowed(`one of ${words.join(", ")}`, (value) => words.includes(value));

/** null, or what `check` allows. */
export function nullOr(check: Check): Check {
  return (value, path, problems) => {
    if (value !== null) check(value, path, problems);
  };
}

export function listOf(check: Check): Check {
  return (value, path, problems) => {
    if (!Array.isArray(value)) return problems.add(path, "an array", value);
    for (let i = 0; i < value.length; i++) check(value[i], `${path}[${i}]`, problems);
  };
}

/** An object whose own keys are names. */
export function recordOf(check: Check): Check {
  return (value, path, problems) => {
    if (!isRecord(value)) return problems.add(path, "an object", value);
    for (const key of Object.keys(value)) {
      name(key, `${path} key`, problems);
      check(value[key], at(path, key), problems);
    }
  };
}

/** The checks of an object's keys; a key that is undefined counts as missing. */
export type Shape = { readonly [key: string]: Check };

/** An object with these keys and no others; the `required` ones must be there. */
export function objectOf(shape: Shape, ...required: readonly string[]): Check {
  return (value, path, problems) => {
    if (!isRecord(value)) return problems.add(path, "an object", value);
    for (const key of new Set([...required, ...Object.keys(value)])) {
      const [given, place] = [value[key], at(path, key)];
      if (given === undefined && !required.includes(key)) continue;
      if (!Object.hasOwn(shape, key)) problems.addUnknownKey(place, key, Object.keys(shape));
      else if (problems.dialect?.without.includes(key)) problems.add(place, `nothing (${problems.dialect.why})`, given);
      else shape[key]!(given, place, problems);
    }
  };
}

/** The same check for several keys. */
export function each(keys: readonly string[], check: Check): Shape {
  return Object.fromEntries(keys.map((key) => [key, check]));
}

function at(path: string, key: string): string {
  if (!/^[\w$]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path ? `${path}.${key}` : key;
}
