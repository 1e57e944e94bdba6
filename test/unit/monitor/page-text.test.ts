import { describe, expect, it } from "vitest";
import {
  amountText,
  clockText,
  countText,
  durationText,
  forecastText,
  quotaName,
  quotaText,
  rateText,
  reasonText,
  remainingText,
  whyText,
} from "../../../monitor-page/text.ts";
import type { DecisionRow, QuotaRow } from "../../../src/monitor/message.ts";

const QUOTA: QuotaRow = {
  ...{ dimension: "tokens", window: "minute", pool: null, limit: 60_000, isReported: false },
  ...{ used: 1_200, reserved: 300, remaining: 58_500, exhaustedInMs: null },
};

/** The text as people read it. */
function plain(row: Partial<DecisionRow>): string {
  const pieces = whyText(row as DecisionRow);
  return pieces.map((piece) => (typeof piece === "string" ? piece : `[${piece.name}]`)).join("");
}

describe("texts of the page", () => {
  it("durations have at most two units", () => {
    const cases: readonly (readonly [ms: number, text: string])[] = [
      [0, "0 ms"],
      [999.6, "1.0 s"],
      [1_000, "1.0 s"],
      [9_900, "9.9 s"],
      [9_960, "10 s"],
      [59_600, "1 min"],
      [200_000, "3 min 20 s"],
      [3_600_000, "1 h"],
      [3_660_000, "1 h 1 min"],
      [172_800_000, "2 d"],
      [8.64e15, "100,000,000 d"],
    ];
    for (const [ms, text] of cases) expect(durationText(ms), `${ms}`).toBe(text);
  });

  it("a clock counts whole seconds, and never reaches 0 before its end", () => {
    expect([1, 1_000, 1_001, 45_000, 61_000].map(clockText)).toEqual(["1 s", "1 s", "2 s", "45 s", "1 min 1 s"]);
  });

  it("counts, rates and money are in people's units", () => {
    expect([0, 999, 12_345, 100_000, 2_500_000].map(countText)).toEqual(["0", "999", "12,345", "100K", "2.5M"]);
    expect([0, 0.1, 9.94, 9.96, 101, 5_000].map(rateText)).toEqual(["0", "0.1", "9.9", "10", "101", "5,000"]);
    expect(amountText("cost_usd", 7_900)).toBe("$0.0079");
    expect(amountText("cost_usd", 12_000_000)).toBe("$12.00");
  });

  it("windows have names", () => {
    expect(quotaName("requests", "minute")).toBe("Requests / minute");
    expect(quotaName("concurrency", null)).toBe("Places");
    expect(quotaName("input_tokens", { seconds: 90 })).toBe("Input tokens / 1 min 30 s");
    expect(quotaName("cost_usd", { calendar: "month" })).toBe("Dollars / calendar month");
  });

  it("a quota has its amounts and its forecast", () => {
    expect(remainingText(QUOTA)).toBe("58.5K of 60K left");
    expect(quotaText(QUOTA)).toBe("1,200 used, 300 reserved");
    expect(quotaText({ ...QUOTA, used: 0 })).toBe("300 reserved");
    expect(quotaText({ ...QUOTA, used: 0, reserved: 0, isReported: true })).toBe("0 used, lower limit reported");
    expect(quotaText({ ...QUOTA, used: 60_000, reserved: 0, remaining: 9 })).toBe("60K used, more left as reported");
    expect(forecastText(QUOTA)).toBe("");
    expect(forecastText({ ...QUOTA, exhaustedInMs: 12_300 })).toBe("full in 13 s");
    expect(forecastText({ ...QUOTA, exhaustedInMs: 12_300, dimension: "concurrency" })).toBe("");
    expect(forecastText({ ...QUOTA, remaining: 0 })).toBe("full");
  });

  it("a reason says what a provider needs, and when it is free", () => {
    const needs = {
      dimension: "tokens",
      window: "minute",
      pool: null,
      limit: 1_000,
      remaining: 120,
      needed: 500,
    } as const;
    const reason = { provider: "a", reason: "quota", retryAfterMs: 12_000 };
    expect(reasonText({ ...reason, needs })).toBe("needs 500 tokens, 120 of 1,000 / minute left, free in 12 s");
    expect(reasonText({ ...reason, needs: { ...needs, dimension: "requests", needed: 1, pool: "p" } })).toBe(
      "needs 1 request, 120 of 1,000 / minute left in pool \u2068p\u2069, free in 12 s",
    );
    expect(reasonText({ ...reason, retryAfterMs: null, reason: "too_large", needs: { ...needs, needed: 2_000 } })).toBe(
      "can never take 2,000 tokens: the limit is 1,000 / minute",
    );
    const places = { ...needs, dimension: "concurrency", window: null, limit: 6, remaining: 0, needed: 1 } as const;
    expect(reasonText({ ...reason, retryAfterMs: null, reason: "concurrency", heldForMs: 2_000, needs: places })).toBe(
      "has 6 of 6 places in use, the oldest for 2.0 s",
    );
    expect(reasonText({ ...reason, reason: "cooldown", statedWaitMs: 7_200_000 })).toBe(
      "is in cooldown, free in 12 s, asked for 2 h",
    );
    expect(reasonText({ ...reason, reason: "some_new_reason" })).toBe("some new reason, free in 12 s");
  });

  it("names are pieces of their own, so that no name can change the text around it", () => {
    const parts = { quotaScore: 0.5, healthScore: 1, priorityScore: 1, latencyScore: 0 };
    expect(plain({ kind: "granted", waitedMs: 0, score: 0.75, parts, others: [] })).toBe(
      "score 0.75: quota 0.50, health 1.00, priority 1.00, latency 0.00",
    );
    expect(
      plain({
        kind: "granted",
        waitedMs: 450,
        score: 0.7,
        parts,
        others: [
          ["b", 0.6],
          ["c", 0.5],
        ],
      }),
    ).toBe("waited 450 ms; score 0.70: quota 0.50, health 1.00, priority 1.00, latency 0.00; next [b] 0.60, [c] 0.50");
    expect(plain({ kind: "failover", from: "<b>", status: "server_error" })).toBe("instead of [<b>]: server error");
    const first = [{ provider: "a", reason: "dead", retryAfterMs: null }];
    expect(plain({ kind: "refused", reasons: { first, others: 2 }, retryAfterMs: 1_000 })).toBe(
      "[a] has a dead key; and 2 more; retry in 1 s",
    );
    expect(plain({ kind: "queued", reasons: { first: [], others: 0 } })).toBe("no provider can serve it");
  });
});
