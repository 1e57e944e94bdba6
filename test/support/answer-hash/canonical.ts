import type { Lease } from "../../../src/index.ts";

/** An answer as text; numbers that derive from the burn rate are apart. */
export interface CanonicalAnswer {
  readonly text: string;
  readonly burn: string;
}

/** Fields that derive from the burn rate. */
const BURN_FIELDS: ReadonlySet<string> = new Set(["burnPerSecond", "exhaustedInMs", "predictedExhaustionSeconds"]);
/** Prose, which may be rewritten without a change of behaviour; `expected` and `got` are the prose of InvalidConfig. */
const PROSE_FIELDS: ReadonlySet<string> = new Set(["message", "stack", "expected", "got"]);

/**
 * Encodes the answers of one world. Numbers are exact, keys are sorted, and undefined fields equal missing ones. The text
 * of errors is left out. A lease is written in full when it is first seen, later by its number.
 */
export class Encoder {
  readonly #leases = new Map<object, number>();
  #burn: string[] = [];
  /** Texts of reasons: an event and an error often carry the same list. */
  readonly #reasons = new Map<unknown, string>();

  encode(answer: unknown): CanonicalAnswer {
    this.#burn = [];
    this.#reasons.clear();
    const text = this.#text(answer);
    return { text, burn: this.#burn.join(",") };
  }

  #text(value: unknown): string {
    switch (typeof value) {
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "string":
        return JSON.stringify(value);
      case "object":
        if (value === null) return "null";
        if (Array.isArray(value)) return this.#list(value);
        return isLease(value) ? this.#lease(value) : this.#object(value);
      case "function":
        return "function";
      default:
        return String(value);
    }
  }

  #list(values: readonly unknown[]): string {
    let text = "[";
    for (const value of values) text += `${this.#text(value)},`;
    return `${text}]`;
  }

  #object(value: object): string {
    const fields = value as { readonly [key: string]: unknown };
    const isError = value instanceof Error;
    let text = isError ? `{${value.name}` : "{";
    for (const key of sortedKeys(fields)) {
      const field = fields[key];
      if (field === undefined) continue;
      if (BURN_FIELDS.has(key)) this.#burn.push(this.#text(field));
      else text += `,${key}:${key === "reasons" ? this.#reasonsText(field) : this.#text(field)}`;
    }
    return `${text}}`;
  }

  #reasonsText(reasons: unknown): string {
    const known = this.#reasons.get(reasons);
    if (known !== undefined) return known;
    const text = this.#text(reasons);
    this.#reasons.set(reasons, text);
    return text;
  }

  #lease(lease: Lease): string {
    const known = this.#leases.get(lease);
    if (known !== undefined) return `lease#${known}`;
    const number = this.#leases.size;
    this.#leases.set(lease, number);
    // `settled` is not read: its getter moves the limiter forward.
    const { provider, capability, reserved, decision } = lease;
    return `lease#${number}${this.#object({ provider, capability, reserved, decision })}`;
  }
}

// Cached: sorting the keys of each object again took a fifth of the whole run.
const SORTED = new Map<string, readonly string[]>();

/** The keys of an object without those of prose, sorted. */
function sortedKeys(fields: object): readonly string[] {
  const keys = Object.keys(fields);
  const joined = keys.join();
  let sorted = SORTED.get(joined);
  if (sorted === undefined) {
    sorted = keys.filter((key) => !PROSE_FIELDS.has(key)).sort();
    SORTED.set(joined, sorted);
  }
  return sorted;
}

function isLease(value: object): value is Lease {
  const { granted, settle } = value as Partial<Lease>;
  return granted === true && typeof settle === "function";
}
