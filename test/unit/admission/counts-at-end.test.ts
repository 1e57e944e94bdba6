// How long a lease counts with countsAtEnd, and in the other window strategies.
import { describe, expect, it } from "vitest";
import {
  disposeLease,
  expectCountedUntil,
  SKEW_CAP_MS,
  settleAsCancelled,
  settleAsRateLimited,
  settleAsTimeout,
} from "../../support/counting-fixture.ts";
import { chatFixture, type LimiterFixture } from "../../support/limiter-fixture.ts";

describe("countsAtEnd", () => {
  const create = (skewCapMs = SKEW_CAP_MS) =>
    chatFixture(
      {
        limits: { rpm: 10 },
        quotas: [{ dimension: "output_tokens", limit: 1_000, window: "minute", countsAtEnd: true }],
      },
      { skewCapMs },
    );
  const counted = (at: LimiterFixture) => at.counted("output_tokens");

  it.each([SKEW_CAP_MS, 0, Number.POSITIVE_INFINITY])(
    "with countsAtEnd and skewCapMs %s a settled lease counts until one window after the settlement",
    (skewCapMs) => {
      const at = create(skewCapMs);
      const lease = at.grant({ outputTokens: 300 });
      at.clock.set(100);
      lease.headersReceived();
      at.clock.set(29_000);
      expect(counted(at)).toBe(300);
      at.clock.set(30_000);
      lease.settle({ usage: { outputTokens: 500 } });
      expect(counted(at)).toBe(500);
      at.clock.set(60_100);
      expect(at.counted("requests")).toBe(0);
      at.clock.set(89_999);
      expect(counted(at)).toBe(500);
      at.clock.set(90_000);
      expect(counted(at)).toBe(0);
    },
  );

  it("with countsAtEnd a request counts for as long as the response lasts, even longer than a window", () => {
    const at = create();
    const lease = at.grant({ outputTokens: 300 });
    at.clock.set(200_000);
    expect(at.counted("requests")).toBe(0);
    expect(counted(at)).toBe(300);
    lease.settle();
    at.clock.set(259_999);
    expect(counted(at)).toBe(300);
    at.clock.set(260_000);
    expect(counted(at)).toBe(0);
  });

  it("with countsAtEnd an abandoned response counts at least one window from its end, and not for ever", () => {
    for (const end of [settleAsTimeout, settleAsCancelled, disposeLease]) {
      const at = create();
      const lease = at.grant({ outputTokens: 300 });
      at.clock.set(100);
      lease.headersReceived();
      at.clock.set(30_000);
      end(lease);
      at.clock.set(89_999);
      expect(counted(at)).toBe(300);
      at.clock.set(91_000);
      expect(counted(at)).toBe(0);
    }
  });

  it("with countsAtEnd an outcome that returns amounts still returns them", () => {
    const released = create();
    released.grant({ outputTokens: 300 }).release();
    expect(counted(released)).toBe(0);
    const limitedAt = create();
    const lease = limitedAt.grant({ outputTokens: 300 });
    lease.headersReceived();
    limitedAt.clock.set(40_000);
    settleAsRateLimited(lease);
    expect(counted(limitedAt)).toBe(0);
  });
});

describe("window strategies other than the sliding window", () => {
  it("a fixed window counts a lease from its grant, and after the headers in the window of the headers", () => {
    const at = chatFixture({
      quotas: [{ dimension: "requests", limit: 5, window: "minute", strategy: "fixed_window" }],
    });
    at.clock.set(59_900);
    const lease = at.grant();
    expect(at.counted("requests")).toBe(1);
    at.clock.set(60_050);
    expect(at.counted("requests")).toBe(1);
    at.clock.set(60_100);
    lease.headersReceived();
    expectCountedUntil(at, 120_000);
  });

  it("a fixed window resets requests with headers from before the reset", () => {
    const at = chatFixture({
      quotas: [{ dimension: "requests", limit: 5, window: "minute", strategy: "fixed_window" }],
    });
    at.clock.set(59_800);
    at.grant().headersReceived();
    expectCountedUntil(at, 60_000);
  });

  it("a fixed window counts a lease without headers in the window of grant + skewCapMs", () => {
    const at = chatFixture({
      quotas: [{ dimension: "requests", limit: 5, window: "minute", strategy: "fixed_window" }],
    });
    at.clock.set(59_500);
    at.grant();
    at.clock.set(119_999);
    expect(at.counted("requests")).toBe(1);
    at.clock.set(120_000);
    expect(at.counted("requests")).toBe(0);
  });

  it("a token bucket reserves the amount of an open lease and gets it back on release", () => {
    const at = chatFixture({
      quotas: [{ dimension: "requests", limit: 60, window: "minute", strategy: "token_bucket", burst: 3 }],
    });
    const leases = [at.grant(), at.grant(), at.grant()];
    expect(at.hasCapacity()).toBe(false);
    leases[0]!.release();
    expect(at.counted("requests")).toBe(2);
    expect(at.hasCapacity()).toBe(true);
    leases[1]!.settle();
    leases[2]!.settle();
    expect(at.counted("requests")).toBe(2);
    at.clock.advanceMs(2_000);
    expect(at.counted("requests")).toBe(0);
  });

  it.each(["fixed_window", "token_bucket", "sliding_window"] as const)(
    "the settled usage replaces the estimate in a %s",
    (strategy) => {
      const tokens = { dimension: "tokens" as const, limit: 600, window: "minute" as const, strategy };
      for (const [headers, truth] of [
        [true, 40],
        [true, 250],
        [true, 0],
        [false, 40],
        [false, 250],
      ] as const) {
        const at = chatFixture({ quotas: [tokens] });
        const lease = at.grant({ tokens: 100 });
        if (headers) lease.headersReceived();
        lease.report({ tokens: 170 });
        expect(at.counted("tokens")).toBe(170);
        lease.settle({ usage: { tokens: truth } });
        expect(at.counted("tokens")).toBe(truth);
        at.clock.set(120_000);
        expect(at.counted("tokens")).toBe(0);
        expect(at.hasCapacity({ tokens: 600 })).toBe(true);
      }
    },
  );

  it("usage that is settled after the window of the headers does not change the next window", () => {
    for (const strategy of ["fixed_window", "sliding_window"] as const) {
      for (const truth of [0, 300]) {
        const at = chatFixture({ quotas: [{ dimension: "tokens", limit: 600, window: "minute", strategy }] });
        const old = at.grant({ tokens: 100 });
        old.headersReceived();
        at.clock.set(60_000);
        at.grant({ tokens: 50 }).settle();
        old.settle({ usage: { tokens: truth } });
        expect(at.counted("tokens"), `${strategy} ${truth}`).toBe(50);
      }
    }
  });

  it("a calendar day also counts usage that replaces an estimate", () => {
    const at = chatFixture({ quotas: [{ dimension: "requests", limit: 2, window: { calendar: "day" } }] });
    at.grant().settle();
    at.grant();
    expect(at.refusal().retryAfterMs).toBe(86_400_000);
    at.clock.set(86_399_999);
    expect(at.hasCapacity()).toBe(false);
    at.clock.set(86_400_000);
    expect(at.hasCapacity()).toBe(true);
  });
});
