// Guarded and bounded reading of objects that this package did not make: errors of clients, answers, bodies.
//
//   reads      at most 1,000 properties, of which 12 can throw
//   errors     at most 16;  prototypes of one error: at most 8
//   objects    of bodies: at most 24, of arrays the first 4 elements;  text: at most 64 KiB;  JSON: at most 8 KiB
//
// Regimes: every property is read by itself, so that an unreadable one hides no other. Keys are never enumerated: objects
// are asked for known names only, so their size does not matter. When a limit is reached, the rest reads as missing.
// Source: measured. JSON.parse takes up to 0.5 ms for 8 KiB of nested arrays, and 5 ms for 64 KiB.

const MAX_READS = 1_000;
const MAX_THROWS = 12;
const MAX_ERRORS = 16;
const MAX_PROTOTYPES = 8;
const MAX_OBJECTS = 24;
const MAX_ITEMS = 4;
const MAX_PAIRS = 200;
const MAX_TEXT = 65_536;
const MAX_JSON = 8_192;
const MAX_WORD = 64;
const MAX_HEADER = 1_000;

/** Keys under which clients keep the answer that an error is about. */
const ANSWERS: readonly string[] = ["response", "httpResponse", "rawResponse", "$response", "$metadata", "extensions"];
const BODIES: readonly string[] = ["error", "data", "body", "responseBody", "raw", "details", "metadata"];
const WORDS: readonly string[] = [
  ...["code", "type", "status", "reason", "error", "error_code", "errorCode", "error_type", "limit_source", "__type"],
];
const TEXTS: readonly string[] = ["message", "detail", "error"];
const INNER: readonly string[] = ["cause", "lastError", "original", "originalError", "detail"];

/** Reader of one result, with a budget for everything that it reads. */
export class ForeignReader {
  #reads = 0;
  #throws = 0;
  #errors = 0;
  #text = 0;
  #json = 0;

  /** Property of any value; undefined if it is missing, unreadable or beyond the budget. */
  get(from: unknown, key: string | symbol): unknown {
    if (from === null || from === undefined || this.#throws >= MAX_THROWS || ++this.#reads > MAX_READS)
      return undefined;
    try {
      return (from as { readonly [key: string | symbol]: unknown })[key];
    } catch {
      this.#throws++;
      return undefined;
    }
  }

  /** True if another error can be read. */
  takeError(): boolean {
    return ++this.#errors <= MAX_ERRORS;
  }

  /** The beginning of a text, as far as the budget goes. */
  text(text: string): string {
    const read = text.slice(0, MAX_TEXT - this.#text);
    this.#text += read.length;
    return read;
  }

  /** The value and the objects in which clients keep the answer: those that can have a status and headers. */
  answersIn(from: unknown): readonly object[] {
    return [from, ...ANSWERS.map((key) => this.get(from, key))].filter(isObject);
  }

  /** Name of the error and of its classes, because errors of clients often have just the name "Error". */
  namesOf(error: object): readonly string[] {
    const names = [this.get(error, "name")];
    try {
      let type: object | null = Object.getPrototypeOf(error);
      for (let depth = 0; type !== null && depth < MAX_PROTOTYPES; depth++) {
        names.push(this.get(this.get(type, "constructor"), "name"));
        type = Object.getPrototypeOf(type);
      }
    } catch {
      // A hostile prototype.
    }
    return names.filter((name): name is string => typeof name === "string" && name.length <= MAX_WORD);
  }

  /** Errors that the error has caught, oldest first, and the last ones of its list. */
  innerErrors(error: object): readonly unknown[] {
    const errors = this.get(error, "errors");
    const length = isList(errors) ? (this.get(errors, "length") as number) : 0;
    const listed: unknown[] = [];
    for (let i = Math.max(0, length - MAX_ERRORS); i < length; i++) listed.push(this.get(errors, String(i)));
    return [...INNER.map((key) => this.get(error, key)), ...listed];
  }

  /** Objects with headers in the answers: `Headers`, Maps, pairs, plain objects, and the metadata of gRPC. */
  headersIn(answers: readonly object[]): readonly object[] {
    const keys = ["headers", "responseHeaders"];
    const found = answers.flatMap((answer) => keys.map((key) => this.get(answer, key)));
    return [...found, this.get(answers[0], "metadata")].filter(isObject);
  }

  /** Text of a header; `name` is in lower case. Undefined: none of the objects has it. */
  header(sources: readonly object[], name: string): string | undefined {
    for (const source of sources) {
      let value: unknown;
      const get = this.get(source, "get");
      for (const variant of variantsOf(name)) {
        value ??=
          typeof get === "function" ? this.#called(get as HeaderReader, source, variant) : this.get(source, variant);
      }
      value ??= this.#pair(source, name);
      // Some clients list the values of a header.
      if (isList(value)) value = this.get(value, "0");
      if (typeof value === "string") return value.slice(0, MAX_HEADER).trim();
      if (typeof value === "number") return String(value);
    }
    return undefined;
  }

  #called(get: HeaderReader, source: object, name: string): unknown {
    if (this.#throws >= MAX_THROWS || ++this.#reads > MAX_READS) return undefined;
    try {
      return get.call(source, name);
    } catch {
      this.#throws++;
      return undefined;
    }
  }

  /** Value in a list of pairs. */
  #pair(pairs: unknown, name: string): unknown {
    if (!isList(pairs)) return undefined;
    const length = Math.min(MAX_PAIRS, this.get(pairs, "length") as number);
    for (let i = 0; i < length; i++) {
      const pair = this.get(pairs, String(i));
      const key = this.get(pair, "0");
      if (typeof key === "string" && key.length < MAX_WORD && key.toLowerCase() === name) return this.get(pair, "1");
    }
    return undefined;
  }

  /** Texts, codes and objects in the value and its bodies, nearest first. */
  bodiesIn(from: object): Bodies {
    const bodies = { objects: [from], texts: [] as string[], words: [] as string[] };
    const { objects, words } = bodies;
    for (let i = 0; i < objects.length; i++) {
      const object = objects[i]!;
      for (const key of WORDS) {
        const word = this.get(object, key);
        if (typeof word === "number") words.push(String(word));
        else if (typeof word === "string" && word.length <= MAX_WORD) words.push(word);
      }
      for (const key of TEXTS) if (typeof this.get(object, key) === "string") this.#add(this.get(object, key), bodies);
      // The body of a Response is a stream; reading it is up to the caller.
      const isResponse = typeof this.get(object, "text") === "function";
      for (const key of [...ANSWERS, ...BODIES]) {
        if (key !== "body" || !isResponse) this.#add(this.get(object, key), bodies);
      }
      // The `errors` of an error itself are inner errors.
      if (i > 0) this.#add(this.get(object, "errors"), bodies);
    }
    return bodies;
  }

  #add(value: unknown, bodies: { readonly objects: object[]; readonly texts: string[] }): void {
    const { objects, texts } = bodies;
    if (typeof value === "string") {
      const text = this.text(value);
      if (text === "" || texts.includes(text)) return;
      texts.push(text);
      if (!/^[[{]/.test(text) || this.#json + text.length > MAX_JSON) return;
      this.#json += text.length;
      this.#add(parsedJson(text), bodies);
    } else if (isList(value)) {
      for (let i = 0; i < MAX_ITEMS; i++) this.#add(this.get(value, String(i)), bodies);
    } else if (isObject(value) && objects.length < MAX_OBJECTS && !objects.includes(value)) objects.push(value);
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type HeaderReader = (name: string) => unknown;

/** Contents of the bodies of an answer. */
export interface Bodies {
  readonly objects: readonly object[];
  readonly texts: readonly string[];
  /** Codes, types and reasons. */
  readonly words: readonly string[];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** True for an array; false if it is unreadable. */
function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    // A revoked proxy.
    return false;
  }
}

/** A header's name as clients write it in plain objects. */
function variantsOf(name: string): readonly string[] {
  const title = name.replace(/(^|-)[a-z]/g, (initial) => initial.toUpperCase());
  return [name, title, title.replace("Ratelimit", "RateLimit"), name.toUpperCase()];
}
