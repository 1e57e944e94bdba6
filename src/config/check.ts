import type { Problems } from "./problems.ts";

/** Says in `problems` what is wrong with `value`; the path is built only when there is something to say. */
export type Check = (value: unknown, path: string, problems: Problems) => void;

/** A finite number within the bounds. */
export function numberFrom(least: number, most: number = Number.POSITIVE_INFINITY): Check {
  const expected =
    most === Number.POSITIVE_INFINITY ? `a finite number >= ${least}` : `a number from ${least} to ${most}`;
  return (value, path, problems) => {
    if (typeof value !== "number" || !Number.isFinite(value) || value < least || value > most) {
      problems.add(path, expected, value);
    }
  };
}

/** A finite number above 0. */
export const positiveNumber: Check = (value, path, problems) => {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
    problems.add(path, "a finite number > 0", value);
};

/** A whole number within what a double counts exactly. */
export function wholeNumberFrom(least: number): Check {
  return (value, path, problems) => {
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      problems.add(path, `a whole number >= ${least}`, value);
    }
  };
}

export const trueOrFalse: Check = (value, path, problems) => {
  if (typeof value !== "boolean") problems.add(path, "true or false", value);
};

export const nonEmptyText: Check = (value, path, problems) => {
  if (typeof value !== "string" || value === "") problems.add(path, "a non-empty string", value);
};

export const anyFunction: Check = (value, path, problems) => {
  if (typeof value !== "function") problems.add(path, "a function", value);
};

export function oneOf(words: readonly string[]): Check {
  return (value, path, problems) => {
    if (!words.includes(value as string)) problems.add(path, `one of ${words.join(", ")}`, value);
  };
}

/** null, or what `check` allows. */
export function nullOr(check: Check): Check {
  return (value, path, problems) => {
    if (value !== null) check(value, path, problems);
  };
}

export function listOf(check: Check): Check {
  return (value, path, problems) => {
    if (!Array.isArray(value)) problems.add(path, "an array", value);
    else for (let i = 0; i < value.length; i++) check(value[i], `${path}[${i}]`, problems);
  };
}

/** An object whose own keys are names. */
export function recordOf(check: Check): Check {
  return (value, path, problems) => {
    if (!isRecord(value)) return problems.add(path, "an object", value);
    for (const name of Object.keys(value)) {
      nonEmptyText(name, `${path} key`, problems);
      check(value[name], at(path, name), problems);
    }
  };
}

/** The checks of an object's keys; a key that is undefined counts as missing. */
export type Shape = { readonly [key: string]: Check };

/** An object with these keys and no others; the `required` ones must be there. */
export function objectOf(shape: Shape, required: readonly string[] = []): Check {
  return (value, path, problems) => {
    if (!isRecord(value)) return problems.add(path, "an object", value);
    for (const key of Object.keys(value)) {
      if (value[key] === undefined) continue;
      if (Object.hasOwn(shape, key)) shape[key]!(value[key], at(path, key), problems);
      else problems.addUnknownKey(at(path, key), key, Object.keys(shape));
    }
    for (const key of required) {
      if (value[key] === undefined) shape[key]!(undefined, at(path, key), problems);
    }
  };
}

/** Allowed elsewhere, but not here: `why` ends the sentence "expected nothing". */
export function unsupported(why: string): Check {
  return (value, path, problems) => problems.add(path, `nothing (${why})`, value);
}

export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(path: string, key: string): string {
  const step = /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  return path === "" && step[0] === "." ? key : path + step;
}
