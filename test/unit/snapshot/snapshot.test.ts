import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  InvalidConfig,
  type LimiterSnapshot,
  MockClock,
} from "../../../src/index.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const EPOCH_MS = 1_700_000_000_000;
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** A limiter that started `afterMs` after the epoch, with a monotonic clock of its own. */
function limiterAt(afterMs: number, options: GrateLimiterOptions) {
  const clock = new MockClock({ startMs: 500, epochMs: EPOCH_MS + afterMs });
  return { clock, limiter: new GrateLimiter({ capabilities: { chat: ["a"] }, ...options, clock }) };
}

/** Snapshot of a limiter that used `tokens` at the epoch and was saved 10 s later. */
function savedWith(provider: Omit<NonNullable<GrateLimiterOptions["providers"]>[number], "name">, tokens = 40) {
  const { clock, limiter } = limiterAt(0, { providers: [{ ...provider, name: "a" }] });
  limiter.observe({ provider: "a", usage: { tokens }, outcome: { status: "success" } });
  clock.advanceMs(10_000);
  return json(limiter.snapshot());
}

function problemsOf(snapshot: unknown): readonly { readonly path: string }[] {
  try {
    new GrateLimiter({ providers: [{ name: "a" }], snapshot: snapshot as LimiterSnapshot });
  } catch (error) {
    if (InvalidConfig.is(error)) return error.problems;
    throw error;
  }
  return [];
}

describe("restored usage", () => {
  const tpm = { limits: { tpm: 100 } };
  const remaining = (snapshot: LimiterSnapshot, afterMs: number, provider: object) =>
    limiterAt(afterMs, { providers: [{ ...provider, name: "a" }], snapshot }).limiter.remainingQuota("a", "tokens");

  it.each([
    [10_000, 60],
    [59_999, 60],
    [60_000, 100],
    [9_999, 60],
    [-1e9, 60],
    [400 * 86_400_000, 60],
  ])("a process that starts %d ms after the use has %d of 100 tokens", (afterMs, left) => {
    expect(remaining(savedWith(tpm), afterMs, tpm)).toBe(left);
  });

  it.each([null, Number.NaN])("no time counts as passed if savedAt is %s", (savedAt) => {
    const snapshot = { ...savedWith(tpm), savedAt };
    const { clock, limiter } = limiterAt(1e6, { providers: [{ name: "a", ...tpm }], snapshot });
    expect(limiter.remainingQuota("a", "tokens")).toBe(60);
    clock.advanceMs(49_999);
    expect(limiter.remainingQuota("a", "tokens")).toBe(60);
    clock.advanceMs(1);
    expect(limiter.remainingQuota("a", "tokens")).toBe(100);
  });

  const bucket = { quotas: [{ dimension: "tokens", limit: 100, window: "minute", strategy: "token_bucket" }] };
  const second = { quotas: [{ dimension: "tokens", limit: 50, window: "second" }] };
  const hour = { quotas: [{ dimension: "tokens", limit: 1_000, window: "hour" }] };
  it.each([
    ["a raised limit", { limits: { tpm: 150 } }, 110],
    ["a lowered limit", { limits: { tpm: 30 } }, 0],
    ["another tracker of the window", bucket, 60],
    ["a longer window", hour, 960],
    ["a shorter window, of which nothing is known", second, 50],
    ["no such quota", { limits: { rpm: 5 } }, null],
  ])("a configuration with %s", (_, provider, left) => {
    expect(remaining(savedWith(tpm), 10_000, provider)).toBe(left);
  });

  it("quotas of a pool are restored, and providers and pools without a match are ignored", () => {
    const options = (pool: string, name: string): GrateLimiterOptions => ({
      pools: { [pool]: { limits: { rpm: 10 } } },
      providers: [{ name, pools: [pool] }],
      capabilities: { chat: [name] },
    });
    const { limiter } = limiterAt(0, options("shared", "a"));
    limiter.tryAcquire("chat");
    const snapshot = json(limiter.snapshot());
    expect(limiterAt(0, { ...options("shared", "b"), snapshot }).limiter.remainingQuota("b", "requests")).toBe(9);
    expect(limiterAt(0, { ...options("other", "a"), snapshot }).limiter.remainingQuota("a", "requests")).toBe(10);
  });

  it("open leases count as used, and their places are held until five mean latencies have passed", () => {
    const providers = [{ name: "a", limits: { rpm: 10, concurrency: 2 } }];
    const { clock, limiter } = limiterAt(0, { providers });
    limiter.observe({ provider: "a", outcome: { status: "success", latencyMs: 2_000 } });
    limiter.tryAcquire("chat");
    clock.advanceMs(1_000);
    const snapshot = json(limiter.snapshot());
    const restored = limiterAt(4_000, { providers, snapshot });
    expect(restored.limiter.remainingQuota("a", "requests")).toBe(8);
    expect(restored.limiter.remainingQuota("a", "concurrency")).toBe(1);
    // A second restart keeps the instant.
    const again = limiterAt(5_000, { providers, snapshot: json(restored.limiter.snapshot()) });
    const held = again.limiter.tryAcquire("chat");
    expect(held.granted).toBe(true);
    const refusal = again.limiter.tryAcquire("chat");
    expect(refusal).toMatchObject({ granted: false });
    again.clock.advanceMs(6_000);
    expect(again.limiter.remainingQuota("a", "concurrency")).toBe(1);
    expect(again.limiter.tryAcquire("chat").granted).toBe(true);
  });

  it("a waiting call is granted when a place of the previous process is released", async () => {
    const providers = [{ name: "a", limits: { concurrency: 1 } }];
    const { limiter } = limiterAt(0, { providers });
    limiter.tryAcquire("chat");
    const { clock, limiter: next } = limiterAt(0, { providers, leaseTimeoutMs: 3_000, snapshot: limiter.snapshot() });
    let isGranted = false;
    const waiting = next.acquire("chat").then(() => {
      isGranted = true;
    });
    clock.advanceMs(2_999);
    await Promise.resolve();
    expect(isGranted).toBe(false);
    clock.advanceMs(1);
    await waiting;
    expect(isGranted).toBe(true);
  });
});

describe("restored health", () => {
  it("a dead key stays dead until its recheck, and the recheck time still doubles", () => {
    const providers = [{ name: "a" }];
    const { clock, limiter } = limiterAt(0, { providers });
    limiter.observe({ provider: "a", outcome: { status: 401 } });
    clock.advanceMs(1_000);
    const next = limiterAt(60_000, { providers, snapshot: json(limiter.snapshot()) });
    expect(next.limiter.inspect().providers[0]!.state).toBe("dead");
    next.clock.advanceMs(540_000);
    expect(next.limiter.inspect().providers[0]!.state).toBe("trial");
    next.limiter.observe({ provider: "a", outcome: { status: 401 } });
    next.clock.advanceMs(1_199_999);
    expect(next.limiter.inspect().providers[0]!.state).toBe("dead");
    next.clock.advanceMs(1);
    expect(next.limiter.inspect().providers[0]!.state).toBe("trial");
  });

  it("a key that is never rechecked stays dead", () => {
    const options = { providers: [{ name: "a" }], health: { recheckDeadAfterMs: Number.POSITIVE_INFINITY } };
    const { limiter } = limiterAt(0, options);
    limiter.observe({ provider: "a", outcome: { status: 401 } });
    const next = limiterAt(1e9, { ...options, snapshot: json(limiter.snapshot()) });
    expect(next.limiter.inspect().providers[0]!.state).toBe("dead");
  });

  it("a cooldown goes on, its end is emitted, and the next one is longer", () => {
    const providers = [{ name: "a" }];
    const { clock, limiter } = limiterAt(0, { providers });
    for (let i = 0; i < 2; i++) {
      limiter.observe({ provider: "a", outcome: { status: 429 } });
      clock.advanceMs(1_000);
    }
    const next = limiterAt(2_500, { providers, snapshot: json(limiter.snapshot()) });
    const ended: string[] = [];
    next.limiter.on("cooldownEnded", ({ provider }) => ended.push(provider));
    expect(next.limiter.providerInCooldown("a")).toBe(true);
    next.clock.advanceMs(500);
    expect(next.limiter.providerInCooldown("a")).toBe(false);
    expect(ended).toEqual(["a"]);
    next.limiter.observe({ provider: "a", outcome: { status: 429 } });
    expect(next.limiter.inspect().providers[0]!.cooldownMs).toBe(4_000);
  });
});

describe("learned and reported facts", () => {
  it("learned sizes and a lower reported limit are restored", () => {
    const providers = [{ name: "a", limits: { rpm: 100, tpm: 10_000 } }];
    const { limiter } = limiterAt(0, { providers });
    const lease = limiter.tryAcquire("chat", { tokens: 70 });
    if (!lease.granted) expect.unreachable();
    const reported = [{ dimension: "requests" as const, window: "minute" as const, limit: 20, remaining: 19 }];
    lease.settle({ status: "success", usage: { tokens: 70 }, reported });
    const next = limiterAt(1_000, { providers, snapshot: json(limiter.snapshot()) }).limiter;
    expect(next.forecast("a")!.map(({ ceiling }) => ceiling)).toEqual(
      limiter.forecast("a")!.map(({ ceiling }) => ceiling),
    );
    expect(next.forecast("a")![0]!.ceiling).toBe(20);
    next.tryAcquire("chat");
    limiter.tryAcquire("chat");
    const inFlight = (of: GrateLimiter) => of.forecast("a")!.map((quota) => quota.inFlight);
    expect(inFlight(next)).toEqual(inFlight(limiter));
    expect(inFlight(next)[1]).toBe(70);
  });
});

describe("a snapshot", () => {
  it("is plain JSON, whatever the names are", () => {
    const names = ["__proto__", "constructor", "toString", "ü 🐸"];
    const options = {
      providers: names.map((name) => ({ name, limits: { rpm: 5 } })),
      capabilities: { ["__proto__"]: names },
    };
    const { limiter } = limiterAt(0, options);
    for (const provider of names) limiter.observe({ provider, outcome: { status: "success" } });
    const snapshot = limiter.snapshot();
    expect(json(snapshot)).toEqual(snapshot);
    const next = limiterAt(0, { ...options, snapshot: json(snapshot) }).limiter;
    expect(names.map((name) => next.remainingQuota(name, "requests"))).toEqual([4, 4, 4, 4]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it("has at most 12 kB for each quota", () => {
    const { clock, limiter } = limiterAt(0, { providers: [{ name: "a", limits: { tpd: 1e9 } }] });
    for (let i = 0; i < 20_000; i++) {
      clock.advanceMs(43_217);
      limiter.observe({ provider: "a", usage: { tokens: 12_345 }, outcome: { status: "success" } });
    }
    const bytes = JSON.stringify(limiter.snapshot().providers["a"]!.quotas[0]).length;
    expect(bytes).toBeGreaterThan(5_000);
    expect(bytes).toBeLessThan(12_000);
  });

  it("null and undefined are no snapshot", () => {
    expect(problemsOf(null)).toEqual([]);
    expect(problemsOf(undefined)).toEqual([]);
  });

  it("the classic profile rejects both the option and the call", () => {
    const snapshot = savedWith({});
    expect(() => new GrateLimiter({ profile: "classic", snapshot })).toThrow(
      /^snapshot: not allowed in the classic profile/,
    );
    expect(() => new GrateLimiter({ profile: "classic" }).snapshot()).toThrow(InvalidConfig);
  });

  it.each<[string, (snapshot: { [key: string]: never }) => unknown]>([
    ["", () => "text"],
    ["", () => []],
    ["version", (snapshot) => ({ ...snapshot, version: 2 })],
    ["version", () => ({})],
    ["savedAt", (snapshot) => ({ ...snapshot, savedAt: "now" })],
    ["providers", (snapshot) => ({ ...snapshot, providers: [] })],
    ["providers.a", (snapshot) => ({ ...snapshot, providers: { a: null } })],
    ["extra", (snapshot) => ({ ...snapshot, extra: 1 })],
  ])("an invalid one is an error that names %j", (path, broken) => {
    const problems = problemsOf(broken(savedWith({ limits: { tpm: 5 } }) as never));
    const expected = path === "" ? "snapshot" : path === "extra" ? "snapshot.extra" : `snapshot.${path}`;
    expect(problems.map((problem) => problem.path)).toContain(expected);
  });

  it("10,000 unknown entries are ignored in less than a second", () => {
    const snapshot = savedWith({ limits: { tpm: 100 } });
    const entries = Array.from({ length: 10_000 }, (_, i) => [`p${i}`, snapshot.providers["a"]!] as const);
    const from = performance.now();
    const many = { ...snapshot, providers: Object.fromEntries([...entries, ["a", snapshot.providers["a"]!]]) };
    const { limiter } = limiterAt(10_000, { providers: [{ name: "a", limits: { tpm: 100 } }], snapshot: many });
    expect(limiter.remainingQuota("a", "tokens")).toBe(60);
    expect(performance.now() - from).toBeLessThan(1_000);
  });

  it("any value in any place is an InvalidConfig or safe: no capacity above the limit, no NaN", () => {
    const hostile = fc.constantFrom<unknown>(
      null,
      -1,
      -1e300,
      1e300,
      2 ** 53 - 1,
      0.5,
      Number.NaN,
      "x",
      [],
      {},
      true,
      [1e15],
      [null],
    );
    const providers = [{ name: "a", limits: { rpm: 10, tpm: 100, concurrency: 3 } }];
    const { limiter } = limiterAt(0, { providers });
    limiter.observe({ provider: "a", usage: { tokens: 9 }, outcome: { status: 503, latencyMs: 9 } });
    limiter.observe({ provider: "a", usage: { tokens: 9 }, outcome: { status: 429, retryAfterMs: 100 } });
    limiter.tryAcquire("chat");
    const text = JSON.stringify(limiter.snapshot());
    const places = (JSON.stringify(JSON.parse(text), (_, value: unknown) => value).match(/"[^"]*":|[[,]/g) ?? [])
      .length;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(places), hostile), { minLength: 1, maxLength: 3 }), (changes) => {
        let place = 0;
        const changed = JSON.parse(text, (_, value: unknown) => {
          const change = changes.find(([at]) => at === place);
          place++;
          return change ? change[1] : value;
        }) as LimiterSnapshot;
        let next: ReturnType<typeof limiterAt>;
        try {
          next = limiterAt(5, { providers, snapshot: changed });
        } catch (error) {
          expect(InvalidConfig.is(error)).toBe(true);
          return;
        }
        for (const afterMs of [0, 1_000, 60_000, 3_600_000]) {
          next.clock.advanceMs(afterMs);
          for (const quota of next.limiter.forecast("a")!) {
            expect(quota.remaining).toBeGreaterThanOrEqual(0);
            expect(quota.remaining).toBeLessThanOrEqual(quota.limit);
            expect(quota.used).toBeGreaterThanOrEqual(0);
          }
          const [inspected] = next.limiter.inspect().providers;
          expect(inspected!.health >= 0 && inspected!.health <= 1).toBe(true);
          expect(JSON.stringify(json(next.limiter.snapshot()))).toBe(JSON.stringify(next.limiter.snapshot()));
        }
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });
});
