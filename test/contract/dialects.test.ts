// One suite for all dialects of HTTP headers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dialectOf } from "../../src/http/dialects/dialects.ts";
import { readerOf } from "../../src/http/header-values.ts";
import { classifyHttp, reportedLimits } from "../../src/http/reported-limits.ts";
import type { ReportedQuota } from "../../src/index.ts";
import answers from "../support/http/provider-headers.json" with { type: "json" };
import { propertyRuns } from "../support/test-effort.ts";

const NAMES = [
  ...["openai", "azure", "anthropic", "gemini", "groq", "mistral", "cohere", "openrouter", "cerebras", "together"],
  ...["fireworks", "xai", "deepseek", "ietf", "github", "shopify", "twilio", "stripe", "generic"],
] as const;
const WINDOW_MS: { readonly [window: string]: number } = { second: 1e3, minute: 6e4, hour: 36e5, day: 864e5 };

type Headers_ = { readonly [name: string]: string };
type Answer = (typeof answers)[number];
const headersOf = ({ headers }: Answer) => headers as unknown as Headers_;

function windowMs({ window }: ReportedQuota): number | undefined {
  if (window === undefined) return undefined;
  return typeof window === "string" ? WINDOW_MS[window] : "seconds" in window ? window.seconds * 1_000 : undefined;
}

function reportsOf(answer: Answer): ReportedQuota[] {
  const header = readerOf(answer.headers);
  return dialectOf(undefined, header, answer.host).reported(header, answer.nowMs);
}

describe.each(answers.map((answer) => [answer.id, answer] as const))("the headers of %s", (_, answer) => {
  it("are read as the limits that they state", () => {
    const rounding = answer.provider === "anthropic" ? 500 : 0;
    const expected = answer.limits as readonly { readonly [field: string]: number | string }[];
    const reports = reportsOf(answer);
    expect(reports.map(({ dimension, limit }) => ({ dimension, limit }))).toEqual(
      expected.map(({ dimension, limit }) => ({ dimension, limit })),
    );
    for (const [place, report] of reports.entries()) {
      const stated = expected[place]!;
      const isTokens = report.dimension !== "requests";
      const { remaining } = stated as { readonly remaining: number };
      expect(report.remaining).toBe(isTokens ? Math.max(0, remaining - rounding) : remaining);
      // A window with nothing remaining cannot end now.
      const isContradiction = stated["resetMs"] === 0 && remaining === 0;
      expect(report.resetMs).toBe(isContradiction ? undefined : stated["resetMs"]);
      // A window or a kind that is not certain is left out.
      if (report.window !== undefined) expect(windowMs(report)).toBe(stated["windowMs"]);
      if (report.resetKind !== undefined && stated["resetKind"] !== "unknown") {
        expect(report.resetKind).toBe(stated["resetKind"]);
      }
    }
  });

  it("belong to their vendor, by the host", () => {
    const { provider, host } = answer;
    if (provider === null || host === "") return;
    expect(dialectOf(undefined, () => null, host).name).toBe(provider);
  });

  it("say the same without the host, or nothing beyond it", () => {
    const header = readerOf(answer.headers);
    const read = dialectOf(undefined, header, "").reported(header, answer.nowMs);
    const fields = (reports: readonly ReportedQuota[]) =>
      reports.map(({ dimension, limit, remaining }) => ({ dimension, limit, remaining }));
    expect(fields(reportsOf(answer))).toEqual(expect.arrayContaining(fields(read)));
  });

  it("are found in every shape of headers, and in the errors of clients", () => {
    const own = headersOf(answer);
    const strip = (reports: readonly ReportedQuota[]) => reports.map(({ resetMs: _, ...report }) => report);
    const expected = strip(reportedLimits(own));
    const upper = Object.fromEntries(Object.entries(own).map(([name, value]) => [name.toUpperCase(), [value]]));
    for (const headers of [new Headers(own), new Map(Object.entries(own)), Object.entries(own), upper]) {
      expect(strip(reportedLimits(headers))).toEqual(expected);
    }
    for (const outcome of [{ headers: own }, { response: { headers: new Headers(own) } }, { responseHeaders: own }]) {
      const settlement = classifyHttp({ ok: false, error: outcome });
      expect(strip(settlement?.reported ?? [])).toEqual(expected);
    }
  });
});

const tableNames = [...new Set(answers.flatMap((answer) => Object.keys(headersOf(answer))))].concat(
  ...["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit", "ratelimit-policy"],
  ...["x-trial-endpoint-call-limit", "x-trial-endpoint-call-remaining", "date"],
);
const hostile = fc.oneof(
  fc.constantFrom(
    ...["", " ", "0", "-1", "NaN", "Infinity", "1e999", "9".repeat(400), "0x10", "1,5", "1.5.5", "-0", "null"],
    ...["6m0s", `${"9".repeat(15)}h`, "1h".repeat(50), "🦀", "\u0661\u0662", "9999-99-99T99:99:99Z", "1 1", "٣"],
    ...[
      "Wed, 99 Foo 2026 25:61:61 GMT",
      '"a";r=;t=',
      '"a";q=0;w=0;r=1',
      '"";;;;',
      "40/0",
      "0/0",
      "5/4",
      "1/".repeat(9),
    ],
  ),
  fc.string({ maxLength: 60 }),
  fc.constant("a=1,".repeat(16_384)),
  fc.constant(`1${"0".repeat(65_536)}`),
  fc.nat(1e9).map(String),
  fc.double().map(String),
);

it("10,000 hostile sets of headers neither throw nor give an invalid number", () => {
  let slow = 0;
  let all = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...tableNames), hostile), { maxLength: 12 }),
      fc.option(fc.constantFrom(...NAMES), { nil: undefined }),
      (pairs, name) => {
        const header = readerOf(pairs);
        const began = performance.now();
        const reports = dialectOf(name, header, "").reported(header, 1.79e12);
        all++;
        if (performance.now() - began > 1) slow++;
        for (const { limit, remaining, resetMs, resolutionMs, resetKind } of reports) {
          if (limit !== undefined) expect(limit).toBeGreaterThan(0);
          for (const number of [limit ?? 1, remaining ?? 1, resetMs ?? 1, resolutionMs ?? 1]) {
            expect(Number.isFinite(number) && number >= 0).toBe(true);
          }
          expect(limit ?? remaining).toBeDefined();
          if (resetKind !== undefined) expect(resetMs).toBeDefined();
        }
      },
    ),
    { numRuns: propertyRuns(10_000) },
  );
  // More than a millisecond is a pause of the process.
  expect(slow / all).toBeLessThan(0.01);
});

it.each([null, undefined, 5, "text", { get: 5 }, { get: () => ({}) }, new Proxy({}, { ownKeys: () => ["x"] })])(
  "%s as headers reports nothing",
  (headers) => {
    expect(reportedLimits(headers)).toEqual([]);
    expect(classifyHttp({ ok: true, value: { headers } })).toBeUndefined();
  },
);

it("classifyHttp finds the vendor by the URL of a response, or of the request of an error", () => {
  const headers = { "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "5" };
  const url = "https://api.groq.com/openai/v1/chat/completions";
  for (const outcome of [
    { headers, url },
    { response: { headers, url } },
    { response: { headers }, config: { url } },
  ]) {
    expect(classifyHttp({ ok: false, error: outcome })?.reported).toEqual([
      { dimension: "requests", window: "day", limit: 14_400, remaining: 5 },
    ]);
  }
});

it("getters and revoked proxies that throw report nothing", () => {
  const fail = () => {
    throw new Error("no");
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const headers of [{ get: fail }, Object.defineProperty({}, "get", { get: fail }), proxy]) {
    expect(reportedLimits(headers)).toEqual([]);
  }
  for (const error of [proxy, Object.defineProperty({}, "headers", { get: fail }), null, undefined, 5]) {
    expect(classifyHttp({ ok: false, error })).toBeUndefined();
  }
});

describe("other forms of the same headers", () => {
  /** The same value, written in another way. */
  const rewritten: fc.Arbitrary<(value: string) => string> = fc.constantFrom(
    (value) => ` ${value}`,
    (value) => `${value} `,
    (value) => value.replace(/^(\d{2,6})s$/, (_, s: string) => `${Math.floor(Number(s) / 60)}m${Number(s) % 60}s`),
    (value) => value.replace(/^(\d+)m(\d+)s$/, (_, m: string, s: string) => `${Number(m) * 60 + Number(s)}s`),
    (value) => value.replace(/^(\d{1,9})$/, "$1.0"),
    (value) => value.replace(/Z$/, "+00:00"),
    (value) => value.replace(/^(\d{4}-\d\d-\d\d)T/, "$1 "),
    (value) => value.replace(/; ?/g, "; "),
    (value) => value.replace("/", " / "),
  );
  const reported = answers.filter(({ limits }) => limits.length > 0);

  it("99 % of them are read as the original", () => {
    let equal = 0;
    let all = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...reported),
        fc.array(rewritten, { minLength: 16, maxLength: 16 }),
        fc.boolean(),
        fc.nat(),
        (answer, rewrites, isUpper, turn) => {
          const pairs = Object.entries(headersOf(answer)).map(([name, value], place) => {
            const text = rewrites[place % rewrites.length]!(value);
            return [isUpper ? name.toUpperCase() : name, text] as const;
          });
          const turned = [...pairs.slice(turn % pairs.length), ...pairs.slice(0, turn % pairs.length)];
          const header = readerOf(turned);
          const reports = dialectOf(undefined, header, answer.host).reported(header, answer.nowMs);
          const plain = (list: readonly ReportedQuota[]) => list.map(({ resolutionMs: _, ...report }) => report);
          all++;
          if (JSON.stringify(plain(reports)) === JSON.stringify(plain(reportsOf(answer)))) equal++;
        },
      ),
      { numRuns: propertyRuns(10_000) },
    );
    expect(equal / all).toBeGreaterThanOrEqual(0.99);
  });
});

it.each(NAMES)("the dialect %s has a name, and a body for refusals that its client can read", (name) => {
  const dialect = dialectOf(name, () => null, "");
  expect(dialect.name).toBe(name);
  for (const status of [429, 503]) {
    expect(JSON.stringify(dialect.errorBody("no capacity", status))).toContain("no capacity");
  }
});
