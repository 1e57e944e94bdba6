// Providers with `limits: "headers"`: their quotas are those that the responses report.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type ProviderConfig, type ReportedQuota } from "../../../src/index.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const RPM: ReportedQuota = { dimension: "requests", window: "minute", limit: 10, remaining: 9 };
const TPM: ReportedQuota = { dimension: "tokens", window: "minute", limit: 1_000, remaining: 900 };

function fixture(config: Partial<ProviderConfig> = {}, skewCapMs = 0) {
  const clock = new MockClock();
  const provider = { name: "a", limits: "headers", ...config } as const;
  const limiter = new GrateLimiter({ clock, providers: [provider], capabilities: { chat: ["a"] }, skewCapMs });
  const unknown: string[] = [];
  limiter.on("limitsUnknown", (event) => unknown.push(event.provider));
  const take = (needs?: object): Lease<string> | null => {
    const taken = limiter.tryAcquire("chat", needs);
    return taken.granted ? taken : null;
  };
  const lease = (needs?: object): Lease<string> => take(needs)!;
  const limits = () => limiter.forecast("a")!.map(({ dimension, window, limit }) => [dimension, window, limit]);
  return { clock, limiter, unknown, take, lease, limits };
}

describe("until the first response with limits", () => {
  it("one request at a time is sent, and the waiting ones go as soon as the headers arrive", async () => {
    const { limiter, clock, lease, take, limits } = fixture();
    const first = lease();
    expect(take()).toBeNull();
    const waiting = Array.from({ length: 12 }, () => limiter.acquire("chat"));
    let granted = 0;
    for (const each of waiting) void each.then(() => granted++).catch(() => {});
    await clock.advanceMs(10);
    expect(granted).toBe(0);
    first.headersReceived({ reported: [RPM] });
    await clock.advanceMs(10);
    expect(granted).toBe(9);
    expect(limits()).toEqual([["requests", "minute", 10]]);
    first.settle();
    expect(take()).toBeNull();
  });

  it.each(["server_error", "timeout", "cancelled", "rate_limited", "unauthorized", "overloaded"] as const)(
    "a request that ends as %s without limits proves nothing",
    (status) => {
      const { limiter, clock, lease, take, unknown } = fixture({ cooldownSeconds: 1 });
      lease().settle(status);
      clock.advanceMs(30_000);
      limiter.reviveProvider("a");
      const next = lease();
      expect([next.granted, take(), unknown]).toEqual([true, null, []]);
    },
  );

  it("a released and an expired request prove nothing either", () => {
    const { limiter, clock, lease, take } = fixture();
    lease().release();
    lease();
    clock.advanceMs(3_600_000);
    expect(limiter.metrics.leasesExpired).toBe(1);
    lease();
    expect(take()).toBeNull();
  });

  it("a success without limits ends it: the provider is unlimited, with one event, until a response reports some", () => {
    const { lease, unknown, limits, take } = fixture();
    lease().settle();
    const many = Array.from({ length: 100 }, () => lease());
    expect([many.length, limits(), unknown]).toEqual([100, [], ["a"]]);
    many[0]!.settle({ status: "success", reported: [{ ...RPM, limit: 50, remaining: 0 }] });
    expect([limits(), take()]).toEqual([[["requests", "minute", 50]], null]);
    for (const each of many.slice(1)) each.settle();
    expect(unknown).toEqual(["a"]);
  });

  it("a 429 as the first answer shows the limits, too", () => {
    const { clock, lease, take, limits } = fixture();
    lease().settle({ status: "rate_limited", retryAfterMs: 5_000, reported: [{ ...RPM, remaining: 0 }] });
    expect([limits(), take()]).toEqual([[["requests", "minute", 10]], null]);
    clock.advanceMs(130_000);
    expect(take()).not.toBeNull();
  });

  it("invalid reports are none", () => {
    const { lease, unknown } = fixture();
    const reported: unknown[] = [
      null,
      5,
      { dimension: "smells", limit: 5 },
      { ...RPM, limit: 0 },
      { ...RPM, limit: NaN },
    ];
    reported.push({ ...RPM, limit: Infinity }, { ...RPM, window: "year" }, { ...RPM, window: undefined }, { limit: 5 });
    reported.push({ dimension: "cost_usd", window: "day", limit: 5 });
    lease().settle({ status: "success", reported: reported as ReportedQuota[] });
    expect(unknown).toEqual(["a"]);
  });

  it("observed responses show them as well", () => {
    const { limiter, limits, unknown } = fixture();
    limiter.observe({ provider: "a", outcome: { status: "success", reported: [RPM] } });
    const declared = fixture({ limits: { rpm: 10 } });
    declared.limiter.observe({ provider: "a", outcome: { status: "success", reported: [RPM] } });
    expect([limits(), unknown]).toEqual([[["requests", "minute", 10]], []]);
    expect(limiter.remainingQuota("a", "requests")).toBe(declared.limiter.remainingQuota("a", "requests"));
    const other = fixture();
    other.limiter.observe({ provider: "a", outcome: { status: 200 } });
    expect(other.unknown).toEqual(["a"]);
  });
});

describe("the limits of the reports", () => {
  it("count the request that brought them, and what others have used", () => {
    const { lease, limiter } = fixture();
    lease({ tokens: 100 }).settle({
      status: "success",
      usage: { tokens: 100 },
      reported: [{ ...RPM, remaining: 4 }, TPM],
    });
    expect(limiter.remainingQuota("a", "tokens")).toBe(900);
    expect(limiter.remainingQuota("a", "requests")).toBeLessThanOrEqual(4);
  });

  it("can be in some dimensions only, and more come later", () => {
    const { lease, limits } = fixture();
    lease().settle({ status: "success", reported: [TPM] });
    expect(limits()).toEqual([["tokens", "minute", 1_000]]);
    lease({ tokens: 1 }).settle({ status: "success", usage: { tokens: 1 }, reported: [RPM] });
    expect(limits()).toEqual([
      ["tokens", "minute", 1_000],
      ["requests", "minute", 10],
    ]);
  });

  it("rise and fall with later reports, and keep the usage", () => {
    const { lease, limiter } = fixture();
    const report = (limit: number, remaining: number) =>
      lease().settle({ status: "success", reported: [{ ...RPM, limit, remaining }] });
    report(10, 9);
    report(20, 18);
    expect(limiter.forecast("a")![0]).toMatchObject({ limit: 20, used: 2, ceiling: 20 });
    report(5, 2);
    expect(limiter.forecast("a")![0]).toMatchObject({ limit: 20, used: 3, ceiling: 5 });
    report(20, 16);
    expect(limiter.forecast("a")![0]).toMatchObject({ limit: 20, used: 4, ceiling: 20 });
  });

  it.each([
    [
      "a minute, by a bucket that is full in 120 ms",
      { resetMs: 120, resetKind: "full", limit: 500, remaining: 499 },
      "minute",
    ],
    [
      "a day, by a bucket that is full in 8.64 s",
      { resetMs: 8_640, resetKind: "full", limit: 10_000, remaining: 9_999 },
      "day",
    ],
    [
      "an hour, by a window with 50 minutes left",
      { resetMs: 3e6, resetKind: "window", limit: 60, remaining: 59 },
      "hour",
    ],
    [
      "nothing, by a reset in whole seconds",
      { resetMs: 1_000, resolutionMs: 1_000, resetKind: "full", limit: 5_000, remaining: 4_999 },
      null,
    ],
    ["nothing, by a full bucket", { resetMs: 0, resetKind: "full", limit: 5, remaining: 5 }, null],
    ["nothing, by a reset of unknown meaning", { resetMs: 5_000, limit: 5, remaining: 4 }, null],
  ] as const)("without a window show %s", (_, report, window) => {
    const { lease, limits } = fixture();
    lease().settle({ status: "success", reported: [{ dimension: "requests", ...report }] });
    expect(limits()).toEqual(window === null ? [] : [["requests", window, report.limit]]);
  });

  it("of a window that turns out to be longer move to it, and keep the usage", () => {
    const { clock, lease, limits, limiter } = fixture();
    const report = (resetMs: number, remaining: number) =>
      lease().settle({
        status: "success",
        reported: [{ dimension: "requests", limit: 50, resetMs, resetKind: "window", remaining }],
      });
    report(20_000, 1);
    expect(limits()).toEqual([["requests", "minute", 50]]);
    clock.advanceMs(21_000);
    report(86_399_000, 49);
    expect(limits()).toEqual([["requests", "day", 50]]);
    expect(limiter.remainingQuota("a", "requests")).toBe(49);
  });

  it("of 10,000 windows are at most 16 quotas", () => {
    const { lease, limits } = fixture();
    for (let i = 1; i <= 10_000; i++) {
      limits().length < 17 &&
        lease().settle({
          status: "success",
          reported: [{ ...RPM, limit: 1e6, remaining: 1e6, window: { seconds: i } }],
        });
    }
    expect(limits()).toHaveLength(16);
  });
});

describe("a change of the configuration", () => {
  it("keeps what the responses have shown if it says the same, and forgets it if it says other limits", () => {
    const { lease, limiter, limits } = fixture();
    lease().settle({ status: "success", reported: [RPM] });
    limiter.upsertProvider({ name: "a", limits: "headers", priority: 3 });
    expect([limits(), limiter.remainingQuota("a", "requests")]).toEqual([[["requests", "minute", 10]], 9]);
    limiter.upsertProvider({ name: "a", limits: { rpm: 7 } });
    lease().settle({ status: "success", reported: [{ ...RPM, limit: 20, remaining: 18 }] });
    expect(limits()).toEqual([["requests", "minute", 7]]);
    limiter.upsertProvider({ name: "a", limits: "headers" });
    expect(limits()).toEqual([["concurrency", null, 1]]);
  });

  it("adds declared quotas, which the reports lower and never raise", () => {
    const { lease, limiter, limits, take } = fixture({ quotas: [{ dimension: "concurrency", limit: 3 }] });
    expect(take()).not.toBeNull();
    expect(take()).toBeNull();
    limiter.updateProvider("a", { limits: { rpm: 5 } });
    limiter.observe({ provider: "a", outcome: { status: "success", reported: [RPM, TPM] } });
    expect(limits()).toEqual([
      ["concurrency", null, 3],
      ["requests", "minute", 5],
      ["tokens", "minute", 1_000],
    ]);
    lease();
    lease();
    expect(take()).toBeNull();
  });

  it("while the first request is on its way counts it", () => {
    const { lease, limiter, limits } = fixture();
    const first = lease();
    limiter.upsertProvider({ name: "a", limits: { rpm: 10 } });
    limiter.upsertProvider({ name: "a", limits: "headers" });
    first.settle({ status: "success", reported: [RPM] });
    expect([limits(), limiter.remainingQuota("a", "requests")]).toEqual([[["requests", "minute", 10]], 9]);
    const removed = lease();
    limiter.removeProvider("a");
    removed.settle({ status: "success", reported: [TPM] });
    expect(limiter.forecast("a")).toBeNull();
  });

  it("takes the dialect for the quotas, and refuses other words and the classic profile", () => {
    const { lease, limiter } = fixture({ dialect: "anthropic" });
    const reported: ReportedQuota[] = [{ dimension: "input_tokens", window: "minute", limit: 1_000, remaining: 980 }];
    lease({ inputTokens: 100, outputTokens: 0 }).settle({
      status: "success",
      usage: { inputTokens: 100, cachedInputTokens: 80, outputTokens: 0 },
      reported,
    });
    expect(limiter.remainingQuota("a", "input_tokens")).toBe(980);
    const create = (limits: unknown, profile?: "classic") => () =>
      new GrateLimiter({ providers: [{ name: "a", limits: limits as "headers" }], ...(profile && { profile }) });
    expect(create("header")).toThrow(/limits.*an object or "headers", got "header"/);
    expect(create("headers", "classic")).toThrow(/limits.*classic/);
    expect(() => limiter.updateProvider("a", { limits: "headers" as never })).toThrow(/limits/);
  });
});

/** Server that enforces one limit on requests, and states what is left. */
class Server {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #kind: "log" | "fixed" | "bucket";
  readonly #phaseMs: number;
  #log: number[] = [];
  #level: number;
  #levelAt = 0;

  constructor(kind: "log" | "fixed" | "bucket", limit: number, windowMs: number, phaseMs: number) {
    this.#kind = kind;
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#phaseMs = phaseMs;
    this.#level = limit;
  }

  #left(now: number): number {
    if (this.#kind === "bucket") {
      this.#level = Math.min(this.#limit, this.#level + ((now - this.#levelAt) * this.#limit) / this.#windowMs);
      this.#levelAt = now;
      return Math.floor(this.#level);
    }
    const from = this.#kind === "log" ? now - this.#windowMs : now - ((now + this.#phaseMs) % this.#windowMs);
    this.#log = this.#log.filter((at) => (this.#kind === "log" ? at > from : at >= from));
    return this.#limit - this.#log.length;
  }

  answer(now: number): { readonly isServed: boolean; readonly reported: ReportedQuota } {
    const isServed = this.#left(now) >= 1;
    if (isServed && this.#kind === "bucket") this.#level--;
    else if (isServed) this.#log.push(now);
    const remaining = this.#left(now);
    const reset =
      this.#kind === "bucket"
        ? { resetMs: ((this.#limit - this.#level) * this.#windowMs) / this.#limit, resetKind: "full" as const }
        : this.#kind === "fixed"
          ? { resetMs: this.#windowMs - ((now + this.#phaseMs) % this.#windowMs), resetKind: "window" as const }
          : {};
    return {
      isServed,
      reported: {
        dimension: "requests",
        window: { seconds: this.#windowMs / 1_000 },
        limit: this.#limit,
        remaining,
        ...reset,
      },
    };
  }
}

it("true limits in the headers cause no 429, whatever the server, the load, and the delays", () => {
  const server = fc.tuple(
    fc.constantFrom("log", "fixed", "bucket" as const),
    fc.integer({ min: 1, max: 40 }),
    fc.constantFrom(2_000, 10_000),
    fc.nat(9_999),
  );
  fc.assert(
    fc.property(server, fc.integer(), ([kind, limit, windowMs, phaseMs], seed) => {
      const random = seededRandom(seed);
      const upstream = new Server(kind as "log", limit, windowMs, phaseMs);
      const { clock, limiter, take } = fixture({}, 1_000);
      const events: { readonly at: number; readonly act: () => void }[] = [];
      const later = (ms: number, act: () => void) => events.push({ at: clock.now() + ms, act });
      let served = 0;
      let refused = 0;
      const send = (lease: Lease<string>) => {
        later(random() * 150, () => {
          const { isServed, reported } = upstream.answer(clock.now());
          if (isServed) served++;
          else refused++;
          const isAborted = random() < 0.1;
          later(random() * 150, () => {
            if (isAborted) return lease.settle("cancelled");
            lease.headersReceived({ reported: [reported] });
            later(random() * 500, () => lease.settle(isServed ? "success" : "rate_limited"));
          });
        });
      };
      for (let at = 0; at < 3 * windowMs; at += random() * (windowMs / limit)) {
        later(at - clock.now(), () => {
          const lease = take();
          if (lease !== null) send(lease);
        });
      }
      while (events.length > 0) {
        events.sort((a, b) => a.at - b.at);
        const { at, act } = events.shift()!;
        clock.set(Math.max(at, clock.now()));
        act();
      }
      expect(refused).toBe(0);
      // It goes on after the first answer.
      if (limiter.forecast("a")![0]?.dimension === "requests") expect(served).toBeGreaterThan(Math.min(limit, 2) - 1);
    }),
    { numRuns: propertyRuns(200) },
  );
});
