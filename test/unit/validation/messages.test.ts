// The messages of invalid calls, word for word: the path, the problem, the value, and the fix.
import { expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions, InvalidConfig, MockClock } from "../../../src/index.ts";

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return expect.unreachable("no error was thrown");
}

const requests = { dimension: "requests", limit: 10 };
const withProvider = (provider: object) => ({ providers: [{ name: "a", ...provider }] });
const withQuota = (quota: object) => withProvider({ quotas: [quota] });

it.each<[string, object]>([
  ["minimumHealthScore: expected a number from 0 to 1, got 2", { minimumHealthScore: 2 }],
  ["maxWaiting: expected a whole number >= 0, got -1", { maxWaiting: -1 }],
  ["defaults.maxAttempts: expected a whole number >= 1 or Infinity, got 0", { defaults: { maxAttempts: 0 } }],
  ["leaseTimeoutMs: expected a finite number > 0, got 0", { leaseTimeoutMs: 0 }],
  ["skewCapMs: expected a number >= 0 or Infinity, got NaN", { skewCapMs: Number.NaN }],
  ["clock: expected an object with a now method, got an object", { clock: {} }],
  ["random: expected a function, got 0.5", { random: 0.5 }],
  ['spread: unknown "even", expected one of score, headroom', { spread: "even" }],
  ['spread: unknown "Score", did you mean "score"?', { spread: "Score" }],
  ["spread: expected one of score, headroom, got 5", { spread: 5 }],
  ['maxWaitng: unknown "maxWaitng", did you mean "maxWaiting"?', { maxWaitng: 5 }],
  ['retryBudget.tries: unknown "tries", expected one of ratio, perMinute', { retryBudget: { tries: 3 } }],
  ["providers[0].name: missing, expected a non-empty string", { providers: [{}] }],
  ['providers[0].name: expected a non-empty string, got ""', { providers: [{ name: "" }] }],
  ['providers[1].name: duplicate provider name "a"; rename one', { providers: [{ name: "a" }, { name: "a" }] }],
  ['providers[0].pools[0]: unknown pool "x", declared: nothing', withProvider({ pools: ["x"] })],
  [
    'providers[0].pools[0]: unknown pool "ogr", did you mean "org"?',
    { pools: { org: {} }, ...withProvider({ pools: ["ogr"] }) },
  ],
  ['capabilities: expected non-empty names, got ""', { capabilities: { "": [] } }],
  [
    "capabilities.chat[0]: expected a provider's name or { provider, priority }, got 5",
    { capabilities: { chat: [5] } },
  ],
  [
    'providers[0].quotas[0].dimension: unknown "request", did you mean "requests"?',
    withQuota({ dimension: "request", limit: 5, window: "minute" }),
  ],
  [
    "providers[0].quotas[0].window: missing, expected one of second, minute, hour, day, { seconds } or { calendar }",
    withQuota(requests),
  ],
  [
    'providers[0].quotas[0].window: unknown "minutes", did you mean "minute"?',
    withQuota({ ...requests, window: "minutes" }),
  ],
  [
    'providers[0].quotas[0].window.timeZone: expected an IANA time zone such as "UTC", got "Mars"',
    withQuota({ ...requests, window: { calendar: "day", timeZone: "Mars" } }),
  ],
  [
    'providers[0].quotas[0].strategy: not allowed for concurrency, which has no window, got "token_bucket"; remove it',
    withQuota({ dimension: "concurrency", limit: 5, strategy: "token_bucket" }),
  ],
  [
    "providers[0].quotas[0].resetEpochMs: not allowed for a calendar window, which resets by itself, got 5; remove it",
    withQuota({ ...requests, window: { calendar: "day" }, resetEpochMs: 5 }),
  ],
  [
    'providers[0].quotas[0].burst: not allowed unless strategy is "token_bucket", got 5; remove it',
    withQuota({ ...requests, window: "minute", burst: 5 }),
  ],
  [
    'providers[0].quotas[0].resetEpochMs: not allowed unless strategy is "fixed_window", got 5; remove it',
    withQuota({ ...requests, window: "minute", resetEpochMs: 5 }),
  ],
  [
    "providers[0].quotas[0].resetEpochMs: expected a Unix time in ms, got an object",
    withQuota({ ...requests, window: "minute", strategy: "fixed_window", resetEpochMs: new Date(5) }),
  ],
  ['spread: not allowed in the classic profile, got "score"; remove it', { profile: "classic", spread: "score" }],
  [
    "2 problems:\n  minimumHealthScore: expected a number from 0 to 1, got 2\n  maxWaiting: expected a whole number >= 0, got -1",
    { minimumHealthScore: 2, maxWaiting: -1 },
  ],
  ["expected an object, got a promise; await it", Promise.resolve({})],
])("the constructor says: %s", (message, options) => {
  expect(messageOf(() => new GrateLimiter(options as GrateLimiterOptions))).toBe(message);
});

const STATUSES = `success, rate_limited, forbidden, server_error, timeout, client_error, unauthorized, overloaded, \
quota_exhausted, unsuitable, cancelled`;

it.each<[string, (limiter: GrateLimiter) => unknown]>([
  ["priority: expected a finite number, got NaN", (l) => l.acquire("chat", { priority: Number.NaN })],
  ["signal: expected an AbortSignal, got an object", (l) => l.acquire("chat", { signal: {} } as never)],
  ["task: missing, expected a function", (l) => l.run("chat", undefined as never)],
  ["items: expected an iterable, got 5", (l) => l.map("chat", 5 as never, () => 1)],
  [
    'outcome.status: unknown "rate-limited", did you mean "rate_limited"?',
    (l) => l.observe({ provider: "a", outcome: { status: "rate-limited" } } as never),
  ],
  [
    `outcome.status: expected one of ${STATUSES}, or the HTTP status code of one, got 99`,
    (l) => l.observe({ provider: "a", outcome: { status: 99 } }),
  ],
  [
    `outcome.status: missing, expected one of ${STATUSES}, or the HTTP status code of one`,
    (l) => l.observe({ provider: "a", outcome: {} } as never),
  ],
  [
    "outcome: expected { status, retryAfterMs } copied from the response, got an object",
    (l) => l.observe({ provider: "a", outcome: new Response("") }),
  ],
  ["outcome: missing, expected an object", (l) => l.observe({ provider: "a" } as never)],
  ['unknown capability "chta", did you mean "chat"?', (l) => l.select("chta")],
  ['unknown capability "speech", declared: "chat"', (l) => l.select("speech")],
  ['unknown capability undefined, declared: "chat"', (l) => l.select(undefined as never)],
  ['unknown provider "b", declared: "a"', (l) => l.reviveProvider("b")],
  ['unknown pool "org", declared: nothing', (l) => l.updateProvider("a", { pools: ["org"] })],
])("a call says: %s", async (message, call) => {
  const limiter: GrateLimiter = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
  const error: unknown = await (async () => call(limiter))().catch((error: unknown) => error);
  expect(error instanceof Error && error.message.replace(/^pools\[0\]: /, "")).toBe(message);
});

it("a list of declared names has at most 8 of them, and each is cut", () => {
  const names = Array.from({ length: 11 }, (_, index) => `${"x".repeat(60)}${index}`);
  const limiter: GrateLimiter = new GrateLimiter({ providers: names.map((name) => ({ name })) });
  const message = messageOf(() => limiter.reviveProvider("a"));
  expect(message).toBe(`unknown provider "a", declared: ${`"${"x".repeat(40)}...", `.repeat(8)}and 3 more`);
});

it("MockClock names the path, the accepted values and the value", () => {
  const clock = new MockClock();
  expect(messageOf(() => clock.advanceMs(-1))).toBe("ms: expected a finite number >= 0, got -1");
  expect(messageOf(() => clock.set(Number.NaN))).toBe("ms: expected a finite number, got NaN");
  expect(messageOf(() => clock.set({ valueOf: () => 5 } as never))).toBe("ms: expected a finite number, got an object");
  expect(messageOf(() => new MockClock({ start: 5 } as never))).toBe(
    'options: expected { startMs, epochMs }, got "start"',
  );
});

it("the problems of an error have the expected and the received value as data", () => {
  const call = () => new GrateLimiter({ ...withQuota({ ...requests, window: "minute", burst: 5 }) } as never);
  expect(call).toThrow(InvalidConfig);
  expect(call).toThrow(
    expect.objectContaining({
      problems: [
        { path: "providers[0].quotas[0].burst", expected: 'nothing unless strategy is "token_bucket"', got: "5" },
      ],
    }),
  );
});

it("the message of many problems has the first 20, and `problems` has all of them", () => {
  const providers = Array.from({ length: 300 }, (_, index) => ({ name: `p${index}`, priority: -1 }));
  try {
    new GrateLimiter({ providers });
    expect.unreachable();
  } catch (error) {
    expect((error as InvalidConfig).problems).toHaveLength(300);
    const lines = String(error).split("\n");
    expect(lines).toHaveLength(22);
    expect(lines[20]).toBe("  providers[19].priority: expected a finite number >= 0, got -1");
    expect(lines[21]).toBe("  and 280 more");
  }
});

it("the error about an object with 100,000 unknown keys has the first 300 problems", () => {
  const keys = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key${index}`, 1]));
  const limiter = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
  const began = performance.now();
  try {
    limiter.select("chat", keys as never);
    expect.unreachable();
  } catch (error) {
    expect(performance.now() - began).toBeLessThan(2_000);
    expect((error as InvalidConfig).problems).toHaveLength(300);
  }
});

it("a promise in place of a value is named", () => {
  const limiter = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
  const items = Promise.resolve([1]) as never;
  expect(() => limiter.map("chat", items, () => 1)).toThrow("items: expected an iterable, got a promise; await it");
});
