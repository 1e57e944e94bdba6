import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrateLimiter, GrateLimiterError, type Inspection, MockClock, NoAvailableProviders } from "../../src/index.ts";
import { type Call, Caller } from "../support/hostile-calls.ts";
import { withSeed } from "../support/seeded-random.ts";
import { effort } from "../support/test-effort.ts";

// After any calls with any values the state contains no NaN, no negative number, nothing undefined, and nothing above
// its limit. It is plain data, every error is an error of this package, and a call that throws changes nothing.

/** Path of the first value that JSON cannot represent or that no amount can have. null: none. */
function oddPlace(value: unknown, path: string): string | null {
  if (value === null || typeof value === "string" || typeof value === "boolean") return null;
  if (typeof value === "number") {
    return Number.isFinite(value) && value >= 0 && !Object.is(value, -0)
      ? null
      : `${path} is ${Object.is(value, -0) ? "-0" : value}`;
  }
  if (typeof value !== "object") return `${path} is ${typeof value}`;
  const prototype = Object.getPrototypeOf(value);
  if (
    Array.isArray(value)
      ? prototype !== Array.prototype
      : prototype !== Object.prototype && !path.startsWith("decision")
  ) {
    return `${path} is no plain object`;
  }
  for (const [key, part] of Object.entries(value)) {
    const odd = oddPlace(part, Array.isArray(value) ? `${path}[]` : `${path}.${key}`);
    if (odd !== null) return odd;
  }
  return null;
}

function oddInspection(inspection: Inspection): string | null {
  for (const provider of inspection.providers) {
    if (provider.health > 1) return `health ${provider.health}`;
    for (const { remaining, ceiling, limit, used, dimension, nextReleaseAmount } of provider.quotas) {
      if (remaining > ceiling) return `remaining ${remaining} of ${ceiling} ${dimension}`;
      if (nextReleaseAmount > used && used > 0) return `releases ${nextReleaseAmount} of ${used} ${dimension}`;
      if (!Number.isSafeInteger(remaining) || !Number.isSafeInteger(ceiling) || !Number.isSafeInteger(limit)) {
        return `${remaining} of ${ceiling} (${limit}) is not whole`;
      }
    }
  }
  return oddPlace(inspection, "inspection");
}

/** Failures by kind, so that one defect does not hide another. */
class Violations {
  readonly kinds: Map<string, string> = new Map();

  note(call: string, what: string | null): void {
    const kind = `${call}: ${what?.replace(/-?\d[\d.e+-]*/g, "#")}`;
    if (what !== null && !this.kinds.has(kind)) this.kinds.set(kind, what);
  }
}

/** Performs a call and returns the error that it threw, if any. */
function perform({ method, perform: answer }: Call, violations: Violations): unknown {
  try {
    const value = answer();
    if (value === undefined) {
      if (!["observe", "on"].includes(method) && !/^(up|re)/.test(method)) violations.note(method, "returns undefined");
    } else violations.note(method, oddPlace(value, method === "select" ? "decision" : method));
    return undefined;
  } catch (error) {
    if (!GrateLimiterError.is(error)) violations.note(method, `throws ${String(error)}`);
    else if (NoAvailableProviders.is(error)) {
      const { retryAfterMs, retryAfterSeconds, reasons } = error;
      violations.note(method, oddPlace({ retryAfterMs, retryAfterSeconds, reasons }, "refusal"));
    }
    return error;
  }
}

/**
 * Makes `calls` random calls. After every `everyMs`-th call the whole state is checked, and the effects are compared.
 */
function torment(random: () => number, calls: number, comparedShare: number, violations: Violations): void {
  const caller = new Caller(random, random() < 0.5 ? 0.03 : 0.3);
  const { limiter } = caller;
  const inspected = (call: string): Inspection | null => {
    try {
      return limiter.inspect();
    } catch (error) {
      violations.note(`inspect after ${call}`, `throws ${String(error)}`);
      return null;
    }
  };
  for (let i = 0; i < calls; i++) {
    if (random() < 0.1) caller.moveClock(i > calls * 0.95);
    const call = caller.next();
    const before = random() < comparedShare ? inspected(call.method) : null;
    const error = perform(call, violations);
    for (const reported of caller.recorded()) violations.note("event", oddPlace(reported, "event"));
    const after = before !== null || i % 256 === 0 ? inspected(call.method) : null;
    if (after === null) continue;
    violations.note(call.method, oddInspection(after));
    if (i % 1_024 === 0 && !isDeepStrictEqual(JSON.parse(JSON.stringify(after)), after)) {
      violations.note(call.method, "inspect() does not survive JSON");
    }
    if (before === null || error === undefined) continue;
    const counted = NoAvailableProviders.is(error) ? 1 : 0;
    const { selects, noProviderAvailable } = before.metrics;
    const metrics = {
      ...before.metrics,
      selects: selects + counted,
      noProviderAvailable: noProviderAvailable + counted,
    };
    if (JSON.stringify({ ...before, metrics }) !== JSON.stringify(after)) {
      violations.note(call.method, `throws ${(error as Error).name} and yet changes something`);
    }
  }
}

describe("with hostile values", () => {
  // Half of the calls throw, and stack traces would take most of the time.
  const { stackTraceLimit } = Error;
  beforeAll(() => {
    Error.stackTraceLimit = 0;
  });
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it("many operations leave only valid data behind", () => {
    withSeed((random) => {
      const violations = new Violations();
      for (let round = 0; round < effort(20, 3); round++) torment(random, 50_000, 0.003, violations);
      expect(Object.fromEntries(violations.kinds)).toEqual({});
    });
  }, 240_000);

  it("a call that throws changes nothing except the counters of refused selections", () => {
    withSeed((random) => {
      const violations = new Violations();
      for (let round = 0; round < effort(12, 4); round++) torment(random, 1_000, 1, violations);
      expect(Object.fromEntries(violations.kinds)).toEqual({});
    });
  });
});

describe("bad amounts after a call", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, -1e308, 2 ** 53, 1e308, "5", null, 5n, true, {}])(
    "bad amounts are ignored and counted: %s",
    (odd) => {
      const clock = new MockClock();
      const limiter = new GrateLimiter({ clock, providers: [{ name: "p", limits: { rpm: 10, tpm: 100 } }] });
      limiter.observe({
        provider: "p",
        usage: { requests: odd as number, tokens: odd as number, inputTokens: 7 },
        outcome: {
          status: "success",
          latencyMs: odd as number,
          retryAfterMs: odd === Number.POSITIVE_INFINITY ? -1 : (odd as number),
        },
      });
      // Invalid `requests` count as not given, which means one; of the tokens only the input is known.
      expect(limiter.remainingQuota("p", "requests")).toBe(9);
      expect(limiter.remainingQuota("p", "tokens")).toBe(93);
      // 1e308 and 2^53 ms are valid, although very long.
      const isTime = odd === 2 ** 53 || odd === 1e308;
      expect(limiter.metrics.invalidUsages).toBe(isTime ? 2 : 4);
      expect(limiter.inspect().providers[0]?.latencyMs).toBe(isTime ? Math.min(odd as number, 60_000) : null);
    },
  );

  it.each([
    [-0, 0],
    [0.5, 1],
    [1.5, 2],
    [5e-324, 1],
    [2 ** 53 - 1, 10],
  ])("%d requests are a valid amount and count as %d", (reported, counted) => {
    const limiter = new GrateLimiter({ clock: new MockClock(), providers: [{ name: "p", limits: { rpm: 10 } }] });
    limiter.observe({ provider: "p", usage: { requests: reported }, outcome: { status: "success" } });
    expect(limiter.remainingQuota("p", "requests")).toBe(10 - counted);
    expect(limiter.metrics.invalidUsages).toBe(0);
  });
});
