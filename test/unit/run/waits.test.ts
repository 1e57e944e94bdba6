// The waits that answers ask for.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classifyResult, parseRetryAfter } from "../../../src/index.ts";

const NOW = Date.UTC(2026, 9, 14, 15, 4, 5);
const headerMs = (headers: object) => parseRetryAfter(headers, () => NOW);
const error = (fields: object) => Object.assign(new Error("refused"), fields);
const waitOf = (fields: object, tokens?: number) =>
  classifyResult(
    { ok: false, error: error({ status: 429, ...fields }) },
    () => NOW,
    () => ({ tokens }),
  ).settlement.retryAfterMs;

const two = (value: number) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const parts = (at: Date) => ({
  day: at.getUTCDate(),
  month: MONTHS[at.getUTCMonth()]!,
  weekday: DAYS[at.getUTCDay()]!,
  year: at.getUTCFullYear(),
  time: [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":"),
});
/** Every form of a date, written from the instant by code of its own. */
const FORMS: { readonly [form: string]: (at: Date) => string } = {
  "IMF-fixdate": (at) => at.toUTCString(),
  "RFC 850": (at) => {
    const { day, month, weekday, year, time } = parts(at);
    return `${weekday}, ${two(day)}-${month}-${two(year % 100)} ${time} GMT`;
  },
  asctime: (at) => {
    const { day, month, weekday, year, time } = parts(at);
    return `${weekday.slice(0, 3)} ${month} ${String(day).padStart(2, " ")} ${time} ${year}`;
  },
  "ISO 8601": (at) => at.toISOString(),
  "ISO 8601 with a zone": (at) => new Date(at.getTime() + 5.5 * 3_600_000).toISOString().replace(".000Z", "+05:30"),
  "a zone before GMT": (at) => new Date(at.getTime() - 8 * 3_600_000).toUTCString().replace("GMT", "-0800"),
  UTC: (at) => at.toUTCString().replace("GMT", "UTC"),
  "no zone": (at) => at.toUTCString().replace(" GMT", ""),
};

describe("a date in Retry-After", () => {
  it.each(Object.entries(FORMS))("is read in the form %s", (_, write) => {
    const date = fc.date({ min: new Date(NOW), max: new Date("2070-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(date, (random) => {
        const at = new Date(Math.floor(random.getTime() / 1_000) * 1_000);
        expect(headerMs({ "retry-after": write(at) }), write(at)).toBe(at.getTime() - NOW);
      }),
    );
  });

  it.each([
    "Wed, 14 Oct 2026",
    "99 Oct 2026 10:00:00",
    "2026-13-01",
    "2026-10-14T25:00",
    "Oct",
    "14-Oct 10:00",
    "-5",
    "1e3",
  ])("%s is no date", (text) => {
    expect(headerMs({ "retry-after": text })).toBeUndefined();
  });

  it("the year of two digits is at most 50 years ahead", () => {
    expect(headerMs({ "retry-after": "Sunday, 06-Nov-94 08:49:37 GMT" })).toBe(0);
  });
});

describe("numbers and units", () => {
  it.each([
    [{ "retry-after": "1791990290" }, 45_000],
    [{ "retry-after": "1791990290000" }, 45_000],
    [{ "retry-after-ms": "1791990290000" }, 45_000],
    [{ "x-ms-retry-after-ms": "1500", "retry-after": "2" }, 1_500],
    [{ "x-amz-retry-after": "250" }, 250],
    [{ "retry-after": "33s" }, 33_000],
    [{ "retry-after": "7m12s" }, 432_000],
    [{ "retry-after": "20 ms" }, 20],
  ])("%j is %i ms", (headers, expected) => {
    expect(headerMs(headers)).toBe(expected);
  });

  it.each([
    [{ retryAfter: 30 }, 30_000],
    [{ retryAfter: 999 }, 999_000],
    [{ retryAfter: 1_000 }, 1_000],
    [{ retryAfter: "5" }, 5_000],
    [{ retry_after_ms: 7 }, 7],
    [{ retryAfter: 30, headers: { "retry-after": "2" } }, 2_000],
    [{ data: { retry_after: 1.5 } }, 1_500],
    [{ error: { details: [{ retryDelay: "38.2s" }] } }, 38_200],
    [{ error: { details: [{ retryDelay: { seconds: 38, nanos: 0 } }] } }, 38_000],
    [{ response: { data: { error: { parameters: { x: 1 }, message: "retry after 33 seconds" } } } }, 33_000],
    [{ body: '{"error":{"message":"Please try again in 3.72s."}}' }, 3_720],
    [{ message: "try again in five minutes" }, undefined],
    [{ message: "try again in 5 moments" }, undefined],
  ])("the error %j waits %s ms", (fields, expected) => {
    expect(waitOf(fields)).toBe(expected);
  });

  it("a hint in a body counts only for rate_limited and overloaded, a field of the error always", () => {
    const of = (fields: object) =>
      classifyResult({ ok: false, error: error({ status: 500, ...fields }) }, () => NOW).settlement.retryAfterMs;
    expect(of({ body: '{"retry_after": 5}' })).toBeUndefined();
    expect(of({ retryAfter: 5 })).toBe(5_000);
  });
});

describe("reset headers", () => {
  const spent = (of: string, reset: string, limit = "100") => ({
    [`x-ratelimit-limit${of}`]: limit,
    [`x-ratelimit-remaining${of}`]: "0",
    [`x-ratelimit-reset${of}`]: reset,
  });

  it.each([
    ["a delta in seconds", spent("", "30"), 30_000],
    ["an epoch in seconds", spent("", "1791990290"), 45_000],
    ["an epoch in milliseconds", spent("", "1791990290000"), 45_000],
    ["a date", spent("", "2026-10-14T15:04:50Z"), 45_000],
    ["the time until full, of which one request needs a hundredth", spent("-requests", "1m0s"), 600],
    ["the time until full of tokens, of which the request needs a tenth", spent("-tokens", "60s", "1000"), 6_000],
    ["whole seconds of Azure, which are a window", spent("-requests", "12"), 12_000],
    ["the later of two", { ...spent("", "30"), "ratelimit-reset": "40", "ratelimit-remaining": "0" }, 40_000],
    ["a limit with something left", { "x-ratelimit-remaining": "5", "x-ratelimit-reset": "30" }, undefined],
    ["a reset alone", { "x-rate-limit-reset": "9" }, 9_000],
    ["IETF", { ratelimit: '"default";r=0;t=10' }, 10_000],
    ["a negative number", spent("", "-1"), undefined],
    ["a better wait", { ...spent("", "30"), "retry-after": "2" }, 2_000],
    [
      "a contradiction of Azure",
      { ...spent("-tokens", "0"), "retry-after": "1", "x-ratelimit-renewalperiod-tokens": "60" },
      60_000,
    ],
  ])("%s: %j waits %s ms", (_, headers, expected) => {
    expect(waitOf({ headers }, 100)).toBe(expected);
  });

  it("a 403 with nothing remaining is rate_limited until the reset", () => {
    const verdict = classifyResult({ ok: false, error: error({ status: 403, headers: spent("", "600") }) }, () => NOW);
    expect(verdict).toMatchObject({ status: "rate_limited", settlement: { retryAfterMs: 600_000 } });
  });
});

describe("should-retry", () => {
  const of = (status: number, headers: object) =>
    classifyResult({ ok: false, error: error({ status, headers }) }, () => NOW);

  it.each(["x-should-retry", "stripe-should-retry"])("%s is obeyed in both directions", (name) => {
    expect(of(409, { [name]: "true" })).toMatchObject({ status: "overloaded", isRepeatable: true });
    expect(of(500, { [name]: "false" })).toMatchObject({ status: "server_error", isRepeatable: false });
    expect(of(500, {})).toMatchObject({ status: "server_error", isRepeatable: true });
  });

  it("a 4xx with a Retry-After is overloaded", () => {
    expect(of(409, { "retry-after": "3" })).toMatchObject({
      status: "overloaded",
      settlement: { retryAfterMs: 3_000 },
    });
    expect(of(409, {}).status).toBe("client_error");
  });
});

describe("a stated wait of 0", () => {
  const waitOf = (headers: object, message = "refused") =>
    classifyResult({ ok: false, error: Object.assign(new Error(message), { status: 429, headers }) }, () => 0)
      .settlement.retryAfterMs;

  it.each([
    [{ "retry-after": "0" }, "Rate limit reached, please try again in 33s", 33_000],
    [{ "retry-after-ms": "0", "retry-after": "30" }, "refused", 30_000],
    [{ "retry-after": "30, 30" }, "refused", 30_000],
    [
      {
        ...{ "retry-after": "0", "x-ratelimit-limit-requests": "1", "x-ratelimit-remaining-requests": "0" },
        "x-ratelimit-reset-requests": "30s",
      },
      "refused",
      30_000,
    ],
    [{ "retry-after": "0" }, "refused", 0],
  ])("%j with the message %j is read as %s ms", (headers, message, expected) => {
    expect(waitOf(headers, message)).toBe(expected);
  });
});
