import { valueText } from "../message-text.ts";
import { type Check, hintOf, isRecord, type Problems } from "./problems.ts";

/** Accepts the values for which `isAllowed` returns true; `expected` describes them. */
export function allowed(expected: string, isAllowed: (value: never) => boolean): Check {
  return (value, problems) => {
    if (!isAllowed(value as never)) problems.add(expected, value);
  };
}

/** Accepts finite numbers from `least` to `most`. */
export function numberFrom(least: number, most: number = Number.MAX_VALUE): Check {
  const expected = most < Number.MAX_VALUE ? `a number from ${least} to ${most}` : `a finite number >= ${least}`;
  return allowed(expected, (value) => typeof value === "number" && value >= least && value <= most);
}

/** Accepts whole numbers from `least`. */
export function wholeNumberFrom(least: number): Check {
  return allowed(`a whole number >= ${least}`, (value) => Number.isSafeInteger(value) && value >= least);
}

/** Accepts finite numbers above 0. */
export const positiveNumber: Check = allowed(
  "a finite number > 0",
  (value) => typeof value === "number" && value > 0 && value <= Number.MAX_VALUE,
);

/** Accepts booleans. */
export const trueOrFalse: Check = allowed("true or false", (value) => typeof value === "boolean");

/** Accepts non-empty strings; `expected` describes them. */
export function nameOf(expected: string): Check {
  return allowed(expected, (value) => typeof value === "string" && value !== "");
}

/** Accepts non-empty strings. */
export const name: Check = nameOf("a non-empty string");

/** Accepts functions. */
export const anyFunction: Check = allowed("a function", (value) => typeof value === "function");

/** Accepts objects with this method; `expected` describes them. */
export function objectWith(method: string, expected: string = `an object with a ${method} method`): Check {
  return allowed(expected, (value) => isRecord(value) && typeof value[method] === "function");
}

/** Accepts every value. */
export const anything: Check = () => {};

/** Accepts the given words; `expected` describes them. */
export function oneOf(words: readonly string[], expected: string = `one of ${words.join(", ")}`): Check {
  return (value, problems) => {
    if (words.includes(value as string)) return;
    const text = `unknown ${valueText(value)}${hintOf(value, words, `expected ${expected}`)}`;
    problems.add(expected, value, typeof value === "string" ? text : undefined);
  };
}

/** Rejects every value; `why` completes "not allowed ...". */
export function nothing(why: string): Check {
  return (value, problems) => {
    problems.add(`nothing ${why}`, value, `not allowed ${why}, got ${valueText(value)}; remove it`);
  };
}

/** Accepts null and the values that `check` accepts. */
export function nullOr(check: Check): Check {
  return (value, problems) => {
    if (value !== null) check(value, problems);
  };
}

/** Accepts arrays of which `check` accepts every element. */
export function listOf(check: Check): Check {
  return (value, problems) => {
    if (!Array.isArray(value)) return problems.add("an array", value);
    for (let i = 0; i < value.length; i++) problems.at(i, check, value[i]);
  };
}

/** Accepts objects with any keys of which `check` accepts every value. */
export function recordOf(check: Check): Check {
  return (value, problems) => {
    if (!isRecord(value)) return problems.add("an object", value);
    for (const key of Object.keys(value)) {
      if (key === "") problems.add("non-empty names", key);
      problems.at(key, check, value[key]);
    }
  };
}

/** Checks of an object's known keys. A key with the value undefined counts as missing. */
export type Shape = { readonly [key: string]: Check };

/** Accepts objects with these keys and no others, and with all `required` ones. */
export function objectOf(shape: Shape, ...required: readonly string[]): Check {
  return (value, problems) => {
    if (!isRecord(value)) return problems.add("an object", value);
    // A promise has no own keys and would pass as an empty object.
    if (typeof value["then"] === "function") return problems.add("an object", value);
    for (const key of Object.keys(value)) {
      if (problems.isFull) return;
      if (value[key] !== undefined) problems.at(key, checkOf(shape, key, problems), value[key]);
    }
    // Inherited fields and getters count like own keys.
    const inherited = Object.getPrototypeOf(value) === Object.prototype ? [] : Object.keys(shape);
    for (const key of inherited) {
      if (!Object.hasOwn(value, key) && value[key] !== undefined) problems.at(key, shape[key]!, value[key]);
    }
    for (const key of required) if (value[key] === undefined) problems.at(key, shape[key]!, undefined);
  };
}

/** Check of one key: the one of the shape, unless the key is unknown or the vocabulary rejects it. */
export function checkOf(shape: Shape, key: string, { vocabulary }: Problems): Check {
  if (!Object.hasOwn(shape, key)) return (_, problems) => oneOf(Object.keys(shape))(key, problems);
  return vocabulary?.without.includes(key) ? nothing(vocabulary.why) : shape[key]!;
}

/** Shape with one check for several keys. */
export function each(keys: readonly string[], check: Check): Shape {
  return Object.fromEntries(keys.map((key) => [key, check]));
}
