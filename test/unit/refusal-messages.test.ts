// The messages of NoAvailableProviders, word for word. The documentation and bug reports quote them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dimension, GrateLimiter, MockClock, NoAvailableProviders, type RefusalReason } from "../../src/index.ts";

type QuotaReason = Extract<RefusalReason, { readonly needed: number }>;

function textOf(...reasons: readonly RefusalReason[]): string {
  const { message } = new NoAvailableProviders("chat", {
    granted: false,
    retryAfterMs: null,
    retryAfterSeconds: null,
    reasons,
  });
  return message.replace('no provider available for "chat": ', "");
}

const TOKENS: QuotaReason = {
  ...{ provider: "a", reason: "quota", dimension: "tokens", window: "minute", pool: null },
  ...{ limit: 1_000, remaining: 120, needed: 500, retryAfterMs: null },
};
const COST: QuotaReason = { ...TOKENS, dimension: "cost_usd", limit: 100_000, remaining: 900, needed: 7_900 };
const PLACES: QuotaReason = { ...TOKENS, reason: "concurrency", dimension: "concurrency", window: null, limit: 10 };
const LARGE: QuotaReason = { ...TOKENS, reason: "too_large", limit: 1_000_000, needed: 2_000_000 };

describe("the text of a quota reason", () => {
  it.each<[string, QuotaReason]>([
    ['"a" needs 500 tokens, 120 of 1,000 left', TOKENS],
    ['"a" needs 1 request, 0 of 10 left', { ...TOKENS, dimension: "requests", needed: 1, remaining: 0, limit: 10 }],
    ['"a" needs 500 input tokens, 120 of 1,000 left', { ...TOKENS, dimension: "input_tokens" }],
    ['"a" needs 500 tokens, 120 of 1,000 left in pool "org"', { ...TOKENS, pool: "org" }],
    ['"a" needs 100 tokens and a margin, 120 of 1,000 left', { ...TOKENS, needed: 100 }],
    ['"a" cost: $0.0079 needed, $0.0009 of $0.10 left', COST],
    ['"a" cost: $12.50 needed, $0.00 of $1,234.00 left', { ...COST, needed: 12.5e6, remaining: 0, limit: 1_234e6 }],
    ['"a" cost: $0.000001 needed, $0.00 of $0.10 left', { ...COST, needed: 1, remaining: 0 }],
    ['"a": 10 of 10 places are in use', { ...PLACES, needed: 1, remaining: 0 }],
    ['"a": 8 of 10 places are in use in pool "org"', { ...PLACES, needed: 5, remaining: 2, pool: "org" }],
    [
      '"a": 10 of 10 places are held by calls of this limiter, the oldest for 61 s',
      { ...PLACES, needed: 1, remaining: 0, heldForMs: 61_000 },
    ],
    ['"a" can never take 2,000,000 tokens: its limit is 1,000,000 per minute', LARGE],
    ['"a" can never take 2,000,000 tokens: its limit is 1,000,000 per 10 s', { ...LARGE, window: { seconds: 10 } }],
    [
      '"a" can never take 2,000,000 tokens: its limit is 1,000,000 per calendar month',
      { ...LARGE, window: { calendar: "month" } },
    ],
    [
      '"a" can never take $2.00: its limit is $1.00 per day in pool "org"',
      { ...LARGE, dimension: "cost_usd", window: "day", pool: "org" },
    ],
    ['"a" can never take 20 places: its limit is 10', { ...PLACES, reason: "too_large", needed: 20 }],
    ['"a" can never take 1 place: its limit is 0', { ...PLACES, reason: "too_large", needed: 1, limit: 0 }],
  ])("the message says: %s", (text, reason) => {
    expect(textOf(reason)).toBe(text);
  });
});

describe("the text of another reason", () => {
  it.each<[RefusalReason["reason"], string]>([
    ["cooldown", "in cooldown"],
    ["unhealthy", "unhealthy"],
    ["dead", "dead"],
    ["ramping", "ramping"],
    ["excluded", "excluded"],
    ["paused", "paused"],
    ["not_registered", "not registered"],
    ["waiters_ahead", "reserved for waiting calls"],
  ])("the reason %s is described as %s", (reason, words) => {
    expect(textOf({ provider: "b", reason, retryAfterMs: null } as RefusalReason)).toBe(`"b" is ${words}`);
  });

  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1_000, "1 s"],
    [1_001, "1.1 s"],
    [3_200, "3.2 s"],
    [12_000, "12 s"],
    [59_999, "60 s"],
    [60_117, "60.2 s"],
    [120_000, "2 min"],
    [150_000, "2.5 min"],
    [7_199_999, "120 min"],
    [7_200_000, "2 h"],
    [9_000_001, "2.6 h"],
  ])("a retry in %i ms is written as %s, rounded up", (retryAfterMs, words) => {
    expect(textOf({ provider: "b", reason: "cooldown", retryAfterMs })).toBe(`"b" is in cooldown (retry in ${words})`);
  });
});

describe("the list of reasons", () => {
  const paused = (provider: string): RefusalReason => ({ provider, reason: "paused", retryAfterMs: null });

  it("the message lists at most 8 reasons and counts the others", () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const eight = names.map((name) => `"${name}" is paused`).join("; ");
    expect(textOf(...names.map(paused))).toBe(eight);
    expect(textOf(...[...names, "i", "j", "k"].map(paused))).toBe(`${eight}; and 3 more`);
  });

  it("the message of an empty capability says that it has no providers", () => {
    expect(textOf()).toBe("it has no providers");
  });

  it("a name is quoted and cut after 40 characters", () => {
    expect(textOf(paused("x".repeat(40)))).toBe(`"${"x".repeat(40)}" is paused`);
    expect(textOf(paused("x".repeat(41)))).toBe(`"${"x".repeat(40)}..." is paused`);
    expect(textOf(paused('a"\n\u0000'))).toBe('"a\\"\\n\\u0000" is paused');
    expect(textOf(paused("\u007f\u009b\u2028\u202e"))).toBe('"\\u007f\\u009b\\u2028\\u202e" is paused');
  });

  it("every message has complete numbers, and fewer than 2,000 characters", () => {
    const name = fc.string({ unit: "binary", maxLength: 60 });
    const amount = fc.maxSafeNat();
    const shared = { provider: name, retryAfterMs: fc.option(amount) };
    const reason = fc.oneof(
      fc.record({
        ...shared,
        reason: fc.constantFrom("quota", "concurrency", "too_large"),
        dimension: fc.constantFrom(...Object.values(Dimension)),
        window: fc.constantFrom("second", "day", null, { seconds: 0.001 }, { seconds: 9e12 }, { calendar: "week" }),
        pool: fc.option(name),
        limit: amount,
        remaining: amount,
        needed: amount,
      }),
      fc.record({
        ...shared,
        reason: fc.constantFrom("cooldown", "dead", "ramping", "not_registered", "waiters_ahead"),
      }),
    );
    fc.assert(
      fc.property(fc.array(reason, { maxLength: 12 }), name, (reasons, capability) => {
        const refusal = { granted: false, retryAfterMs: null, retryAfterSeconds: null, reasons } as const;
        const { message } = new NoAvailableProviders(capability, refusal as never);
        expect(message.length).toBeLessThan(2_000);
        // Control characters of a name are escaped, so that it cannot forge a line of a log.
        expect(message).not.toMatch(/\p{Cc}/u);
        const withoutNames = message.replaceAll(/"(?:\\.|[^"\\])*"/g, "");
        expect(withoutNames).not.toMatch(/NaN|undefined|Infinity|null|e\+|object/);
      }),
    );
  });
});

it("the messages of a limiter state its real amounts", () => {
  const limiter: GrateLimiter = new GrateLimiter({
    clock: new MockClock(),
    pools: { org: { limits: { usdPerDay: 0.1 } } },
    providers: [
      { name: "a", limits: { tpm: 1_000 } },
      { name: "b", limits: { concurrency: 1 } },
      { name: "c", limits: { tpm: 100 }, price: { usdPerRequest: 0.06 }, pools: ["org"] },
      { name: "d", price: { usdPerRequest: 0.06 }, pools: ["org"] },
    ],
    capabilities: { chat: ["a", "b", "c", "d"] },
  });
  for (const only of ["a", "b", "d"]) limiter.tryAcquire("chat", { tokens: 880, only: [only] });
  const refusal = limiter.tryAcquire("chat", { tokens: 500 });
  if (refusal.granted) return expect.unreachable();
  // A returned refusal is plain data: its message is built only for the error.
  expect(Object.keys(refusal)).toEqual(["granted", "retryAfterMs", "retryAfterSeconds", "reasons"]);
  expect(textOf(...refusal.reasons)).toBe(
    [
      '"a" needs 500 tokens, 120 of 1,000 left (retry in 61 s)',
      '"b": 1 of 1 places are held by calls of this limiter, the oldest for 0 ms',
      '"c" can never take 500 tokens: its limit is 100 per minute',
      '"d" cost: $0.06 needed, $0.04 of $0.10 left in pool "org" (retry in 24.1 h)',
    ].join("; "),
  );
});
