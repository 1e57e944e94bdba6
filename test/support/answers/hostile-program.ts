// Classifies 10,000 hostile results and prints which of them throw and how long the slowest take. The least of three runs of
// the same input counts, because other programs use the same processors.
import { setFlagsFromString } from "node:v8";
import { GrateLimiter, MockClock, parseRetryAfter, type TaskResult } from "../../../src/index.ts";
import { classifyResult } from "../../../src/run/classification/classify.ts";
import { Random } from "../answer-hash/random.ts";

setFlagsFromString("--stack-size=900");
const INPUTS = 10_000;
const RUNS = 3;
const random = new Random(20_261_201);
const boom = () => {
  throw new Error("trap");
};
const TRAPS: ProxyHandler<object> = { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom };

function selfPrototype(): object {
  const proxy: object = new Proxy(
    {},
    { getPrototypeOf: () => proxy, get: (_, key) => (key === "then" ? undefined : proxy) },
  );
  return proxy;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function cycle(): object {
  const error: { [key: string]: unknown } = new Error("x") as never;
  for (const key of ["cause", "error", "response", "data", "body", "extensions", "errors"]) error[key] = error;
  return error;
}

const deep = (key: string, levels: number): object => {
  let value: object = { code: "rate_limit_exceeded" };
  for (let i = 0; i < levels; i++) value = { [key]: value, message: "x" };
  return value;
};

const MEGABYTE = 1_000_000;
const DEEP_JSON = `${"[".repeat(4_000)}${"]".repeat(4_000)}`;
// Made once, because making them takes longer than reading them.
const BIG: readonly unknown[] = [
  "a"
    .repeat(3 * MEGABYTE)
    .concat("!")
    .replace("!", "?"),
  "try again in ".repeat(90_000),
  "retry after 1".repeat(90_000),
  "wait 9999999999999999999999 ".repeat(40_000),
  `${"1".repeat(MEGABYTE)} seconds`,
  "9".repeat(50),
  " ".repeat(MEGABYTE),
  "{".repeat(MEGABYTE),
  DEEP_JSON,
  `{"error":${'{"error":'.repeat(900)}1${"}".repeat(901)}`,
  JSON.stringify(Array.from({ length: 2_000 }, () => ({}))).slice(0, 8_190),
  `{${Array.from({ length: 700 }, (_, i) => `"k${i}":1`).join()}}`,
  Array.from({ length: 300_000 }, () => new Error("x")),
  Array.from({ length: 100_000 }, (_, i) => ["x", String(i)]),
  Array.from({ length: 100_000 }, () => ({ code: 429 })),
  "Wed, ".repeat(200_000),
  `Wednesday, 14-Oct-26 15:05:35 GMT${" ".repeat(MEGABYTE)}`,
  "1h".repeat(MEGABYTE),
  "Failed to fetch (".repeat(50_000),
  "error sending request for url ".repeat(50_000),
];
const headers = new Headers();
for (let i = 0; i < 2_000; i++) headers.append(`x-${i}`, "1".repeat(50));
const ODD: readonly (() => unknown)[] = [
  ...[undefined, null, 0, -1, Number.NaN, 429, 1e308, true, "", Symbol("x"), 5n].map((value) => () => value),
  () => new Proxy({}, TRAPS),
  () => new Proxy([], TRAPS),
  () => new Proxy(new Error("x"), TRAPS),
  () => new Proxy(() => {}, { ...TRAPS, apply: boom }),
  () => revoked({}),
  () => revoked([]),
  selfPrototype,
  cycle,
  () => deep("error", 5_000),
  () => deep("cause", 5_000),
  () => deep("response", 5_000),
  () => headers,
  () => ({ get: boom }),
  () => ({ get: () => selfPrototype() }),
  () => new Map<unknown, unknown>([["Retry-After", selfPrototype()]]),
  () => ({ length: 1e9, 0: "x" }),
  () => ({ toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom }),
  () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: ["x", "y"] }) }) }),
  () => new Proxy([], { get: (_, key) => (key === "length" ? 1e9 : selfPrototype()) }),
  () => Object.create(null),
  () => Object.freeze(new Error("x")),
];
const KEYS: readonly string[] = [
  ...["status", "statusCode", "code", "name", "message", "cause", "errors", "error", "response", "headers", "data"],
  ...[
    "body",
    "responseHeaders",
    "responseBody",
    "details",
    "metadata",
    "extensions",
    "retryAfter",
    "$metadata",
    "type",
  ],
  ...["$response", "ok", "constructor", "syscall", "path", "lastError", "reason", "$retryable", "retry-after", "date"],
];

function value(depth: number): unknown {
  const kind = random.int(0, 9);
  if (kind < 3) return random.pick(ODD)();
  if (kind < 5) return random.pick(BIG);
  if (kind < 6) return random.pick([400, 429, 500, 503, 413, 403, "429", "ECONNRESET", "rate_limit_exceeded"]);
  return depth === 0 ? {} : record(depth);
}

function record(depth: number): object {
  const target = random.pick([() => ({}), () => new Error("x"), () => new TypeError("fetch failed")])();
  for (let i = random.int(1, 8); i > 0; i--) {
    const key = random.pick(KEYS);
    const descriptor = random.chance(10) ? { get: boom } : { value: value(depth - 1) };
    Object.defineProperty(target, key, { configurable: true, enumerable: true, ...descriptor });
  }
  return random.chance(5) ? new Proxy(target, { getPrototypeOf: boom }) : target;
}

function classify(result: TaskResult): void {
  const { status, settlement } = classifyResult(result, () => 1e12);
  const ms = settlement.retryAfterMs ?? 0;
  if (typeof status !== "string" || !(ms >= 0)) throw new Error(`${status}, ${ms}`);
}

const clock = new MockClock();
const limiter = new GrateLimiter({ clock, providers: [{ name: "a" }], capabilities: { chat: ["a"] } });

function settle(input: unknown): void {
  const lease = limiter.tryAcquire("chat");
  if (!lease.granted) throw new Error("no lease");
  lease.report(input as never);
  lease.settle({ status: "success", usage: input as never });
  const other = limiter.tryAcquire("chat");
  if (other.granted) other.settle(input as never);
  limiter.reviveProvider("a");
  clock.advanceMs(2_000);
}

const READERS: { readonly [name: string]: (input: unknown) => unknown } = {
  error: (error) => classify({ ok: false, error }),
  value: (value) => classify({ ok: true, value }),
  headers: (input) => parseRetryAfter(input, () => 1e12),
  settle,
};
const slow: string[] = [];
const failed: string[] = [];
let slowestMs = 0;
for (let i = 0; i < INPUTS; i++) {
  const input = i < ODD.length ? ODD[i]!() : i < ODD.length + BIG.length ? BIG[i - ODD.length] : value(3);
  for (const [name, reader] of Object.entries(READERS)) {
    let leastMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const startMs = performance.now();
      try {
        reader(input);
      } catch (error) {
        failed.push(`${name} of input ${i}: ${(error as Error).stack?.slice(0, 400)}`);
        break;
      }
      leastMs = Math.min(leastMs, performance.now() - startMs);
    }
    // The first inputs run before the code is compiled.
    if (leastMs === Number.POSITIVE_INFINITY) continue;
    slowestMs = Math.max(slowestMs, leastMs);
    if (leastMs > 2) slow.push(`${name} of input ${i}: ${leastMs.toFixed(2)} ms`);
  }
}
console.log(JSON.stringify({ inputs: INPUTS, failed: failed.slice(0, 5), slow: slow.slice(0, 20), slowestMs }));
