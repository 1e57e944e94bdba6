import { type Check, isRecord, type Problems } from "./problems.ts";

/** Whatever `isAllowed` says yes to; `expected` says it in words. */
export function allowed(expected: string, isAllowed: (value: never) => boolean): Check {
  return (value, problems) => {
    if (!isAllowed(value as never)) problems.add(expected, value);
  };
}

/** A finite number within the bounds. */
export function numberFrom(least: number, most: number = Number.MAX_VALUE): Check {
  const expected = most < Number.MAX_VALUE ? `a number from ${least} to ${most}` : `a finite number >= ${least}`;
  return allowed(expected, (value) => typeof value === "number" && value >= least && value <= most);
}

export const wholeNumber: Check = allowed("a whole number >= 0", (value) => Number.isSafeInteger(value) && value >= 0);

export const positiveNumber: Check = allowed(
  "a finite number > 0",
  (value) => typeof value === "number" && value > 0 && value <= Number.MAX_VALUE,
);

export const trueOrFalse: Check = allowed("true or false", (value) => typeof value === "boolean");

export const name: Check = allowed("a non-empty string", (value) => typeof value === "string" && value !== "");

export const anyFunction: Check = allowed("a function", (value) => typeof value === "function");

export const anything: Check = () => {};

export function oneOf(words: readonly string[]): Check {
  return allowed(`one of ${words.join(", ")}`, (value) => words.includes(value));
}

/** Never allowed here; `why` says where it is. */
export function nothing(why: string): Check {
  return (value, problems) => problems.add(`nothing (${why})`, value);
}

/** null, or what `check` allows. */
export function nullOr(check: Check): Check {
  return (value, problems) => {
    if (value !== null) check(value, problems);
  };
}

export function listOf(check: Check): Check {
  return (value, problems) => {
    if (!Array.isArray(value)) return problems.add("an array", value);
    for (let i = 0; i < value.length; i++) problems.at(i, check, value[i]);
  };
}

/** An object whose own keys are names. */
export function recordOf(check: Check): Check {
  return (value, problems) => {
    if (!isRecord(value)) return problems.add("an object", value);
    for (const key of Object.keys(value)) {
      name(key, problems);
      problems.at(key, check, value[key]);
    }
  };
}

/** The checks of an object's keys; a key that is undefined counts as missing. */
export type Shape = { readonly [key: string]: Check };

/** An object with these keys and no others; the `required` ones must be there. */
export function objectOf(shape: Shape, ...required: readonly string[]): Check {
  return (value, problems) => {
    if (!isRecord(value)) return problems.add("an object", value);
    // It has no keys of its own, and would pass for "nothing said".
    if (typeof value["then"] === "function") return problems.add("an object, not a promise of one", value);
    for (const key of Object.keys(value)) {
      if (value[key] !== undefined) problems.at(key, checkOf(shape, key, problems), value[key]);
    }
    // Fields and getters of a class are read like its own keys.
    const inherited = Object.getPrototypeOf(value) === Object.prototype ? [] : Object.keys(shape);
    for (const key of inherited) {
      if (!Object.hasOwn(value, key) && value[key] !== undefined) problems.at(key, shape[key]!, value[key]);
    }
    for (const key of required) if (value[key] === undefined) problems.at(key, shape[key]!, undefined);
  };
}

/** How a key of an object is checked: by its shape, unless it is unknown, or refused in the dialect. */
export function checkOf(shape: Shape, key: string, { vocabulary }: Problems): Check {
  if (!Object.hasOwn(shape, key)) return (_, problems) => problems.addUnknownKey(key, Object.keys(shape));
  return vocabulary?.without.includes(key) ? nothing(vocabulary.why) : shape[key]!;
}

/** The same check for several keys. */
export function each(keys: readonly string[], check: Check): Shape {
  return Object.fromEntries(keys.map((key) => [key, check]));
}
