// Requests that end before any size is known: their invented estimates are reserved, and never counted as usage.
import { describe, expect, it } from "vitest";
import type { Lease, ProviderConfig, SelectOptions } from "../../../src/index.ts";
import { chatFixture } from "../../support/limiter-fixture.ts";

const price = { usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 };
const BUDGETS: readonly (readonly [name: string, provider: Partial<ProviderConfig>])[] = [
  ["tokens a day", { limits: { tpd: 100_000 } }],
  ["tokens a day and a minute", { limits: { tpd: 100_000, tpm: 50_000 } }],
  ["dollars a day", { limits: { usdPerDay: 1 }, price }],
  [
    "tokens a calendar day",
    { quotas: [{ dimension: "tokens", limit: 100_000, window: { calendar: "day", timeZone: "UTC" } }] },
  ],
];
const ENDINGS: readonly (readonly [name: string, end: (lease: Lease) => void])[] = [
  ["server errors", (lease) => lease.settle({ status: 500 })],
  ["time-outs", (lease) => lease.settle({ status: "timeout" })],
  ["client errors", (lease) => lease.settle({ status: 400 })],
  ["aborts", (lease) => lease.settle({ status: "cancelled" })],
  ["expiries", () => {}],
  ["successes without usage", (lease) => lease.settle()],
];
const NEEDS: readonly SelectOptions[] = [{}, { maxOutputTokens: 9_000 }, { inputTokens: 100 }];

describe("an invented estimate", () => {
  for (const [budget, provider] of BUDGETS) {
    it.each(ENDINGS)(`ten %s leave room for 50 requests in ${budget}`, (name, end) => {
      for (const needs of NEEDS) {
        // An upper limit that the caller states is counted for an answer without a report.
        if (needs.maxOutputTokens !== undefined && name === "successes without usage") continue;
        const fixture = chatFixture(provider, { leaseTimeoutMs: 60_000 });
        for (let i = 0; i < 10; i++) {
          const answer = fixture.limiter.tryAcquire("chat", needs);
          if (answer.granted) end(answer);
          fixture.clock.advanceMs(20_000);
        }
        fixture.clock.advanceMs(600_000);
        for (let i = 0; i < 50; i++) {
          fixture.grant(needs).settle({ usage: { inputTokens: 100, outputTokens: 200 } });
          fixture.clock.advanceMs(1_000);
        }
      }
    });
  }

  it("the estimate before the first report is a tenth of a minute's share of a longer window", () => {
    const reserved = (limits: ProviderConfig["limits"]) => chatFixture({ limits, price }).grant().reserved;
    expect(reserved({ tpd: 1_440_000 }).tokens).toBe(100);
    expect(reserved({ tph: 60_000 }).tokens).toBe(100);
    expect(reserved({ tpm: 1_000 }).tokens).toBe(100);
    expect(reserved({ tpm: 1_000, tpd: 1_440 }).tokens).toBe(100);
    expect(reserved({ usdPerDay: 14.4 }).costMicroUsd).toBe(1_000);
  });

  it("a failed request counts its stated input, and its learned size once one is known", () => {
    const fixture = chatFixture({ limits: { tpm: 1_000 } });
    fixture.grant({ inputTokens: 30 }).settle({ status: 500 });
    expect(fixture.counted("tokens")).toBe(30);
    fixture.grant().settle({ status: 500 });
    expect(fixture.counted("tokens")).toBe(31);
    // A refusal took nothing, and stays at that.
    fixture.grant().settle({ status: 429 });
    expect(fixture.counted("tokens")).toBe(31);
    fixture.limiter.reviveProvider("a");
    fixture.grant().settle({ usage: { inputTokens: 20, outputTokens: 10 } });
    // 30 + 10, 20 + 10, and the reported 30.
    expect(fixture.counted("tokens")).toBe(100);
    fixture.grant().settle({ status: 500 });
    expect(fixture.counted("tokens")).toBe(130);
  });

  it("a caller that never reports has no guesses that are corrected later", () => {
    const fixture = chatFixture({ limits: { tpm: 1_000 } });
    fixture.grant().settle({ status: 400 });
    fixture.grant().settle();
    fixture.grant().settle({ usage: { tokens: 50 } });
    expect(fixture.counted("tokens")).toBe(52);
  });
});
