// After a cooldown one lease at a time is granted until an outcome is known, then half the rate, three quarters, the
// full rate.
import { describe, expect, it } from "vitest";
import { type Lease, PriorityScorer, type ProviderConfig } from "../../../src/index.ts";
import { chatFixture, flushPromises, LimiterFixture, rejection } from "../../support/limiter-fixture.ts";
import { HttpError, never, runFixture, watch } from "../../support/run-fixture.ts";

const HOUR = 3_600_000;

/** A provider directly after a cooldown of 30 s. */
function afterCooldown(provider: Partial<ProviderConfig> = {}, more: object = {}) {
  const fixture = chatFixture(
    { cooldownSeconds: 30, ...provider },
    { health: { cooldownTriggerCount: 1, maxCooldownSeconds: 1e5 }, ...more },
  );
  fixture.grant().settle({ status: "rate_limited", retryAfterMs: 30_000 });
  const [reason] = fixture.refusal().reasons;
  expect(reason).toEqual({ provider: "a", reason: "cooldown", retryAfterMs: 30_000 });
  fixture.clock.advanceMs(30_000);
  return fixture;
}

const state = (fixture: LimiterFixture) => fixture.limiter.inspect().providers[0]!.state;
const TRIAL_IS_TAKEN = [{ provider: "a", reason: "ramping", retryAfterMs: null }];

describe("a trial", () => {
  it("a trial grants one lease at a time", () => {
    const fixture = afterCooldown();
    expect(state(fixture)).toBe("trial");
    const lease = fixture.grant();
    expect(state(fixture)).toBe("trial");
    for (let i = 0; i < 3; i++) {
      expect(fixture.refusal()).toMatchObject({ retryAfterMs: null, reasons: TRIAL_IS_TAKEN });
      fixture.clock.advanceMs(1_000);
    }
    lease.headersReceived();
    expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
    lease.settle();
    expect(state(fixture)).not.toBe("trial");
    for (let i = 0; i < 3; i++) fixture.grant();
  });

  it("during a trial all other requests go to other providers", () => {
    const fixture = new LimiterFixture({
      scoring: new PriorityScorer(),
      providers: [{ name: "a", priority: 20 }, { name: "b" }],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 1_000 } });
    expect(fixture.grant().provider).toBe("b");
    fixture.clock.advanceMs(1_000);
    const lease = fixture.grant();
    expect([lease.provider, fixture.grant().provider, fixture.grant().provider]).toEqual(["a", "b", "b"]);
    lease.settle();
    expect(fixture.grant().provider).toBe("a");
  });

  const UNDECIDED: { [name: string]: (lease: Lease, fixture: LimiterFixture) => void } = {
    client_error: (lease) => lease.settle({ status: "client_error" }),
    cancelled: (lease) => lease.settle({ status: "cancelled" }),
    "no status": (lease) => lease.settle({ status: "what" as never }),
    dispose: (lease) => lease[Symbol.dispose](),
    release: (lease) => lease.release(),
    expiry: (_, fixture) => fixture.clock.advanceMs(7_000),
  };

  it.each(Object.entries(UNDECIDED))("a trial that ends in %s frees its place and decides nothing", (_, end) => {
    const fixture = afterCooldown({}, { leaseTimeoutMs: 7_000 });
    for (let i = 0; i < 3; i++) {
      const lease = fixture.grant();
      expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
      end(lease, fixture);
      expect(state(fixture)).toBe("trial");
    }
    fixture.grant().settle();
    expect(state(fixture)).toBe("available");
  });

  it("a trial that ends in success lifts health and ends the trial state", () => {
    const fixture = afterCooldown({}, { health: { cooldownTriggerCount: 1, penalty429: 0.9 } });
    expect(fixture.limiter.providerHealth("a")).toBeLessThan(0.2);
    fixture.grant().settle();
    expect(fixture.limiter.providerHealth("a")).toBe(0.9);
    fixture.grant();
    fixture.grant();
  });

  it.each(["rate_limited", "server_error", "timeout", "forbidden", "overloaded", "quota_exhausted"] as const)(
    "a trial that fails with %s doubles the cooldown each time",
    (status) => {
      const fixture = afterCooldown();
      const firstMs = status === "quota_exhausted" ? 60_000 : 30_000;
      // The only provider can be probed after its first cooldown, but not after a limit.
      const isLimit = status === "rate_limited" || status === "quota_exhausted";
      for (const ms of [2 * firstMs, 4 * firstMs, 8 * firstMs]) {
        fixture.grant().settle({ status });
        expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: ms });
        const opensInMs = isLimit ? ms : firstMs;
        expect(fixture.refusal()).toMatchObject({ retryAfterMs: opensInMs });
        fixture.clock.advanceMs(opensInMs - 1);
        expect(fixture.refusal().reasons[0]!.reason).toBe("cooldown");
        fixture.clock.advanceMs(ms - opensInMs + 1);
        expect(state(fixture)).toBe("trial");
      }
      fixture.grant().settle();
      fixture.clock.advanceMs(20_000);
      // A success resets the length of the cooldown.
      fixture.grant().settle({ status });
      expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(firstMs);
    },
  );

  it("leases from before the trial do not decide it and change health only", () => {
    const fixture = chatFixture({ cooldownSeconds: 30 }, { health: { cooldownTriggerCount: 1 } });
    const old = Array.from({ length: 4 }, () => fixture.grant());
    fixture.grant().settle({ status: "rate_limited" });
    fixture.clock.advanceMs(10_000);
    old[0]!.settle({ status: "success" });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 20_000 });
    fixture.clock.advanceMs(20_000);
    old[1]!.settle({ status: "success" });
    expect(state(fixture)).toBe("trial");
    old[2]!.settle({ status: "server_error" });
    expect(state(fixture)).toBe("trial");
    const trial = fixture.grant();
    expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
    old[3]!.settle({ status: "success" });
    expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
    trial.settle({ status: "server_error" });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(60_000);
  });

  it("a later retryAfterMs of an older lease extends the cooldown or starts a new one", () => {
    const fixture = chatFixture({}, { health: { cooldownTriggerCount: 1 } });
    const old = [fixture.grant(), fixture.grant()];
    fixture.grant().settle({ status: "rate_limited", retryAfterMs: 5_000 });
    fixture.clock.advanceMs(1_000);
    old[0]!.settle({ status: "rate_limited", retryAfterMs: 9_000 });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(9_000);
    fixture.clock.advanceMs(9_500);
    expect(state(fixture)).toBe("trial");
    old[1]!.settle({ status: "overloaded", retryAfterMs: 3_000 });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 3_000 });
  });

  it("a lease that was granted at the end of the previous cooldown decides the trial", () => {
    const fixture = afterCooldown();
    const lease = fixture.grant();
    expect(fixture.clock.now()).toBe(30_000);
    lease.settle({ status: "timeout" });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(60_000);
  });

  it("an observation can decide the trial; the lease of the trial then decides nothing", () => {
    const fixture = afterCooldown();
    const lease = fixture.grant();
    fixture.limiter.observe({ provider: "a", outcome: { status: "success" } });
    const second = fixture.grant();
    second.settle();
    lease.settle({ status: "cancelled" });
    expect(fixture.limiter.inspect().providers[0]!.state).toBe("available");
  });

  it("a trial is possible while a lease of an earlier trial is open, and that lease decides nothing", () => {
    const fixture = afterCooldown();
    const earlier = fixture.grant();
    fixture.limiter.observe({ provider: "a", outcome: { status: "server_error" } });
    fixture.clock.advanceMs(60_000);
    expect(state(fixture)).toBe("trial");
    const lease = fixture.grant();
    earlier.settle();
    expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
    lease.settle({ status: "cancelled" });
    expect(state(fixture)).toBe("trial");
    fixture.grant().settle();
    expect(state(fixture)).toBe("available");
  });

  it("reviving the provider ends the trial", () => {
    const fixture = afterCooldown();
    fixture.grant();
    fixture.limiter.reviveProvider("a");
    expect(state(fixture)).toBe("available");
    for (let i = 0; i < 5; i++) fixture.grant();
  });

  it("an upsert keeps the trial and its occupied place", () => {
    const fixture = afterCooldown({ limits: { rpm: 100 } });
    const lease = fixture.grant();
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 90 }, cooldownSeconds: 30 });
    expect(fixture.refusal().reasons).toEqual(TRIAL_IS_TAKEN);
    lease.settle({ status: "server_error" });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(60_000);
  });
});

describe("the ramp", () => {
  it("a waiter does not wait for the end of a request if the ramp opens only after its deadline", async () => {
    const fixture = afterCooldown({ limits: { rpm: 60, concurrency: 1 } });
    fixture.grant().settle();
    const held = fixture.grant();
    // The next lease is granted 2 s later, at half the rate.
    const [soon, late] = [fixture.acquire({ maxWaitMs: 1_999 }), fixture.acquire({ maxWaitMs: 2_000 })];
    await flushPromises();
    expect(rejection(soon)).toMatchObject({ kind: "refused", reasons: [{ reason: "concurrency" }] });
    expect(late.state).toBe("waiting");
    held.settle();
    await fixture.advance(1_999);
    expect(late.state).toBe("waiting");
    await fixture.advance(1);
    expect(late.state).toBe("granted");
  });

  /** Asks every 10 ms and returns the number of granted leases in each following second. */
  function greedy(fixture: LimiterFixture, seconds: number, options = {}): number[] {
    const perSecond: number[] = [];
    const from = fixture.clock.now();
    for (let second = 0; second < seconds; second++) {
      let count = 0;
      for (let ms = 0; ms < 1_000; ms += 10) {
        fixture.clock.set(from + second * 1_000 + ms);
        for (;;) {
          const answer = fixture.limiter.tryAcquire("chat", options);
          if (!answer.granted) break;
          answer.settle();
          count++;
        }
      }
      perSecond.push(count);
    }
    return perSecond;
  }
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);

  it("the ramp allows half the rate for 5 s, three quarters until 10 s, then the full quota", () => {
    const fixture = afterCooldown({ limits: { rpm: 600 } });
    fixture.grant().settle();
    const counts = greedy(fixture, 11);
    // 10 a second at the full rate, after a small burst at the start.
    expect(sum(counts.slice(0, 5))).toBeGreaterThanOrEqual(24);
    expect(sum(counts.slice(0, 5))).toBeLessThanOrEqual(25 + 4);
    expect(sum(counts.slice(5, 10))).toBeGreaterThanOrEqual(36);
    expect(sum(counts.slice(5, 10))).toBeLessThanOrEqual(37.5 + 4);
    for (const count of counts.slice(1, 5)) expect(count).toBeLessThanOrEqual(6);
    for (const count of counts.slice(6, 10)) expect(count).toBeLessThanOrEqual(9);
    expect(counts[10]).toBe(600 - 2 - sum(counts.slice(0, 10)));
  });

  it("the ramp is shorter in proportion to a window below one minute", () => {
    const fixture = afterCooldown({ quotas: [{ dimension: "requests", limit: 120, window: { seconds: 12 } }] });
    fixture.grant().settle();
    const counts = greedy(fixture, 3);
    // 10 a second at the full rate.
    expect(counts[0]).toBeGreaterThanOrEqual(4);
    expect(counts[0]).toBeLessThanOrEqual(5 + 4);
    expect(counts[1]).toBeGreaterThanOrEqual(6);
    expect(counts[1]).toBeLessThanOrEqual(7.5 + 4);
    expect(counts[2]).toBe(120 - 1 - counts[0]! - counts[1]!);
  });

  it.each<[string, Partial<ProviderConfig>, number]>([
    ["a second", { limits: { rps: 60 } }, 1_000 / 6],
    ["12 seconds", { quotas: [{ dimension: "requests", limit: 60, window: { seconds: 12 } }] }, 2_000],
    ["a minute", { limits: { rpm: 60 } }, 10_000],
    ["an hour", { limits: { rph: 60 } }, 10_000],
    ["a second beside one of a minute", { limits: { rps: 60, rpm: 600 } }, 10_000],
    ["a second beside tokens of a minute", { limits: { rps: 60, tpm: 600 } }, 10_000],
    ["a second beside a pool's of a minute", { limits: { rps: 60 }, pools: ["shared"] }, 10_000],
    ["a second beside one of a day", { limits: { rps: 60, rpd: 1e6 } }, 1_000 / 6],
  ])("the ramp with a window of %s lasts as long as the longest window needs", (_, provider, lastsMs) => {
    const fixture = afterCooldown(provider, { pools: { shared: { limits: { rpm: 600 } } } });
    fixture.grant({ tokens: 1 }).settle();
    const from = fixture.clock.now();
    fixture.clock.set(from + Math.ceil(lastsMs) - 1);
    expect(state(fixture)).toBe("ramping");
    fixture.clock.set(from + Math.ceil(lastsMs));
    expect(state(fixture)).toBe("available");
  });

  it("the ramp follows a change of the windows", () => {
    const fixture = afterCooldown({ limits: { rps: 60, rpm: 600 } });
    fixture.grant().settle();
    fixture.clock.advanceMs(1_000);
    expect(state(fixture)).toBe("ramping");
    fixture.limiter.updateProvider("a", { limits: { rpm: null } });
    expect(state(fixture)).toBe("available");
    fixture.limiter.updateProvider("a", { limits: { rpm: 600 } });
    expect(state(fixture)).toBe("ramping");
    fixture.limiter.updateProvider("a", { limits: { rps: null, rpm: null } });
    expect(state(fixture)).toBe("available");
  });

  it("the ramp is visible as the state for 10 s, and as a refusal with a true time", () => {
    const fixture = afterCooldown({ limits: { rpm: 60 } });
    fixture.grant().settle();
    const from = fixture.clock.now();
    expect(state(fixture)).toBe("ramping");
    let refusals = 0;
    for (let ms = 0; ms < 10_000; ms += 7) {
      fixture.clock.set(from + ms);
      expect(state(fixture)).toBe("ramping");
      const answer = fixture.limiter.tryAcquire("chat");
      if (answer.granted) continue;
      refusals++;
      const [reason] = answer.reasons;
      expect(reason).toMatchObject({ provider: "a", reason: "ramping", retryAfterMs: expect.any(Number) });
      const ahead = reason!.retryAfterMs!;
      expect(Number.isInteger(ahead) && ahead >= 1 && ahead <= 10_000).toBe(true);
      fixture.clock.set(fixture.clock.now() + ahead - 1);
      expect(fixture.hasCapacity()).toBe(false);
      fixture.clock.set(fixture.clock.now() + 1);
      fixture.grant();
      ms += ahead;
    }
    expect(refusals).toBeGreaterThan(3);
    fixture.clock.set(from + 10_000);
    expect(state(fixture)).toBe("available");
    for (let i = 0; i < 30; i++) fixture.grant();
  });

  it("the ramp uses the shortest requests quota", () => {
    const fixture = afterCooldown({ limits: { rps: 10, rpm: 100_000, rpd: 1e7, tpm: 1e9 } });
    fixture.grant().settle();
    fixture.clock.advanceMs(2_000);
    const counts = greedy(fixture, 3, { tokens: 0 });
    expect(sum(counts)).toBeGreaterThanOrEqual(14);
    expect(sum(counts)).toBeLessThanOrEqual(15 + 4);
  });

  it.each([
    ["an hour does", { rph: HOUR / 1_000 }, true],
    ["a day does not", { rpd: 100_000 }, false],
    ["tokens do not", { tpm: 1_000_000 }, false],
    ["concurrency does not", { concurrency: 40 }, false],
  ])("only quotas of requests with windows up to an hour cause a ramp: %s", (_, limits, ramps) => {
    const fixture = afterCooldown({ limits });
    fixture.grant({ tokens: 1 }).settle();
    expect(state(fixture)).toBe(ramps ? "ramping" : "available");
    let count = 0;
    for (let i = 0; i < 30; i++) count += fixture.limiter.tryAcquire("chat", { tokens: 1 }).granted ? 1 : 0;
    if (ramps) expect(count).toBeLessThanOrEqual(4);
    else expect(count).toBe(30);
  });

  it("the ramp delays waiters, wakes them as it allows, and loses none of them", async () => {
    const fixture = afterCooldown({ limits: { rpm: 120 } });
    fixture.grant().settle();
    const from = fixture.clock.now();
    const line = Array.from({ length: 30 }, () => fixture.acquire());
    for (let ms = 0; ms <= 12_000; ms += 50) await fixture.advanceTo(from + ms);
    expect(line.map(({ state }) => state)).toEqual(Array(30).fill("granted"));
    const by = (ms: number) => line.filter(({ atMs }) => atMs! <= from + ms).length;
    // 2 a second at the full rate.
    expect(by(4_950)).toBeGreaterThanOrEqual(4);
    expect(by(4_950)).toBeLessThanOrEqual(5 + 4);
    expect(by(9_950)).toBeLessThanOrEqual(5 + 7.5 + 5);
    expect(by(10_050)).toBe(30);
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("a new cooldown ends the ramp, and a new ramp starts after its trial", () => {
    const fixture = afterCooldown({ limits: { rpm: 600 } });
    fixture.grant().settle();
    fixture.clock.advanceMs(1_000);
    fixture.grant().settle({ status: "rate_limited", retryAfterMs: 2_000 });
    expect(state(fixture)).toBe("cooldown");
    fixture.clock.advanceMs(2_000);
    expect(state(fixture)).toBe("trial");
    fixture.grant().settle();
    expect(state(fixture)).toBe("ramping");
    expect(sum(greedy(fixture, 4))).toBeLessThanOrEqual(20 + 4);
  });

  it("a success without a preceding cooldown starts no ramp", () => {
    const fixture = chatFixture({ limits: { rpm: 600 } });
    fixture.grant().settle({ status: "server_error" });
    fixture.grant().settle();
    expect(state(fixture)).toBe("available");
    for (let i = 0; i < 100; i++) fixture.grant();
  });
});

describe("the call that gets the trial", () => {
  function cooling() {
    const fixture = new LimiterFixture({
      health: { cooldownTriggerCount: 1 },
      providers: [{ name: "a", cooldownSeconds: 4 }, { name: "b" }],
      capabilities: { chat: ["a"], both: ["a", "b"] },
    });
    const served: string[] = [];
    const task = (name: string) => () => void served.push(name);
    fixture.limiter.observe({ provider: "a", outcome: { status: "server_error" } });
    return { fixture, served, task };
  }

  it("the trial goes to a call that can be repeated before one that cannot, and to that one if no other waits", async () => {
    for (const once of [{ idempotent: false }, { maxAttempts: 1 }]) {
      const { fixture, served, task } = cooling();
      const { limiter } = fixture;
      void limiter.run("chat", task("once"), once);
      void limiter.run("chat", task("first"));
      void limiter.run("chat", task("second"));
      await fixture.advance(4_000);
      expect(served[0]).toBe("first");
      expect([...served].sort()).toEqual(["first", "once", "second"]);
      const alone = cooling();
      void alone.fixture.limiter.run("chat", alone.task("once"), once);
      await alone.fixture.advance(4_000);
      expect(alone.served).toEqual(["once"]);
    }
  });

  it("the trial goes to the call with the fewest failed attempts, first come among equals", async () => {
    const { fixture, served, task } = cooling();
    const { limiter } = fixture;
    void limiter.run("both", ({ provider }) => {
      served.push(`poisonous at ${provider}`);
      limiter.updateProvider("b", { paused: true });
      if (provider === "b") throw Object.assign(new Error(), { status: 500 });
    });
    await fixture.advance(2_000);
    expect(served).toEqual(["poisonous at b"]);
    void limiter.run("chat", task("first"));
    void limiter.run("chat", task("second"));
    await fixture.advance(2_000);
    expect(served.slice(0, 2)).toEqual(["poisonous at b", "first"]);
    expect(served).toHaveLength(4);
  });
});

describe("the ramp of a provider without a requests quota", () => {
  const IN_FLIGHT = 9;

  /** A provider directly after the cooldown that the first of nine refused requests has started. */
  function refusedFixture(status: "rate_limited" | "server_error" = "rate_limited") {
    const fixture = chatFixture({ limits: { tpm: 1_000_000 } }, { health: { cooldownTriggerCount: 1 } });
    const leases = Array.from({ length: IN_FLIGHT }, () => fixture.grant({ tokens: 1 }));
    for (const lease of leases) lease.settle({ status });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 1_000 });
    expect(fixture.limiter.metrics.cooldownsTriggered).toBe(1);
    fixture.clock.advanceMs(1_000);
    return fixture;
  }

  /** Grants as many leases as possible, at most 20. */
  function fill(fixture: LimiterFixture): Lease[] {
    const leases: Lease[] = [];
    for (; leases.length < 20; ) {
      const answer = fixture.limiter.tryAcquire("chat", { tokens: 1 });
      if (!answer.granted) {
        expect(answer.reasons).toEqual(TRIAL_IS_TAKEN);
        break;
      }
      leases.push(answer);
    }
    return leases;
  }

  /** Widths of consecutive rounds in which everything succeeds. */
  function widths(fixture: LimiterFixture, rounds: number): number[] {
    return Array.from({ length: rounds }, () => {
      const leases = fill(fixture);
      for (const lease of leases) lease.settle();
      return leases.length;
    });
  }

  it("the number in flight doubles with each round of successes, up to the number before", () => {
    const fixture = refusedFixture();
    expect(widths(fixture, 4)).toEqual([1, 2, 4, 8]);
    expect(state(fixture)).toBe("available");
    expect(widths(fixture, 1)).toEqual([20]);
  });

  it("a rate limit halves that number, and starts a cooldown of the mean latency, but no longer than the first one", () => {
    const fixture = refusedFixture();
    expect(widths(fixture, 3)).toEqual([1, 2, 4]);
    const leases = fill(fixture);
    expect(leases).toHaveLength(8);
    for (const lease of leases) lease.settle({ status: "rate_limited" });
    // The mean latency is 0 ms.
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 100 });
    fixture.clock.advanceMs(100);
    expect(widths(fixture, 3)).toEqual([1, 4, 8]);
    expect(state(fixture)).toBe("available");
  });

  it("only a rate limit starts it, a revival ends it, and a requests quota replaces it", () => {
    const failed = refusedFixture("server_error");
    expect(widths(failed, 2)).toEqual([1, 20]);
    const revived = refusedFixture();
    expect(widths(revived, 2)).toEqual([1, 2]);
    revived.limiter.reviveProvider("a");
    expect(widths(revived, 1)).toEqual([20]);
    const updated = refusedFixture();
    expect(widths(updated, 2)).toEqual([1, 2]);
    updated.limiter.updateProvider("a", { limits: { rpm: 6_000 } });
    expect(state(updated)).toBe("ramping");
    updated.clock.advanceMs(10_000);
    expect(state(updated)).toBe("available");
    expect(widths(updated, 1)).toEqual([20]);
  });
});

const fails = () => Promise.reject(new HttpError(503));

describe("a trial that hangs", () => {
  it("another trial begins after 5 s, and wakes the calls that wait", async () => {
    const { clock, limiter } = runFixture(["a"]);
    const broken = [1, 2, 3].map(() => watch(limiter.run("chat", fails, { maxAttempts: 1 })));
    await clock.advanceMsAsync(1_500);
    expect(broken.map(({ state }) => state)).toEqual(["rejected", "rejected", "rejected"]);
    const hangs = watch(limiter.run("chat", never));
    const later = watch(limiter.run("chat", () => "served", { maxWaitMs: 3_600_000 }));
    await clock.advanceMsAsync(4_999);
    expect([hangs.state, later.state]).toEqual(["open", "open"]);
    await clock.advanceMsAsync(1);
    expect([hangs.state, later.state]).toEqual(["open", "resolved"]);
  });

  it("a stream that has begun lets the next trial begin", async () => {
    const { clock, limiter } = runFixture(["a"]);
    const broken = [1, 2, 3].map(() => watch(limiter.run("chat", fails, { maxAttempts: 1 })));
    await clock.advanceMsAsync(1_500);
    expect(broken.map(({ state }) => state)).toEqual(["rejected", "rejected", "rejected"]);
    const stream = watch(
      limiter.stream("chat", async function* () {
        yield "first";
        await never();
      }),
    );
    await clock.advanceMsAsync(1);
    expect(stream.state).toBe("resolved");
    const later = watch(limiter.run("chat", () => "served"));
    await clock.advanceMsAsync(1);
    expect(later.state).toBe("resolved");
  });
});

it("a call that waits is granted when the key of a dead provider is checked again", async () => {
  const { clock, limiter } = runFixture(["a", { name: "b", limits: { concurrency: 1 } }], { leaseTimeoutMs: 1e8 });
  await limiter.acquire("chat", { only: ["b"] });
  limiter.observe({ provider: "a", outcome: { status: 401 } });
  const waiting = watch(limiter.acquire("chat", { maxWaitMs: 1_800_000 }));
  await clock.advanceMsAsync(599_999);
  expect(waiting.state).toBe("open");
  await clock.advanceMsAsync(1);
  expect(waiting.value?.provider).toBe("a");
});

describe("a rate limit while long requests run", () => {
  it("those that were granted before it block the provider for no more than seconds", async () => {
    const { clock, limiter } = runFixture(["a"]);
    for (let call = 0; call < 20; call++) limiter.run("chat", never);
    await clock.advanceMsAsync(1_000);
    limiter.observe({ provider: "a", outcome: { status: 429 } });
    const calls = [];
    for (let second = 0; second < 60; second++) {
      calls.push(
        watch(
          limiter.run("chat", () => new Promise((resolve) => void clock.wakeAt(clock.now() + 100, () => resolve(1)))),
        ),
      );
      await clock.advanceMsAsync(1_000);
    }
    expect(calls.slice(0, 55).filter(({ state }) => state !== "resolved")).toEqual([]);
  });

  it("requests that hang after it block the provider for no more than seconds", async () => {
    const { clock, limiter } = runFixture(["a"]);
    const two = [1, 2].map(() => limiter.tryAcquire("chat"));
    limiter.observe({ provider: "a", outcome: { status: 429 } });
    for (const lease of two) if (lease.granted) lease.settle();
    await clock.advanceMsAsync(1_000);
    for (let call = 0; call < 3; call++) limiter.run("chat", never);
    await clock.advanceMsAsync(30_000);
    const later = watch(limiter.run("chat", () => "served"));
    await clock.advanceMsAsync(15_000);
    expect(later.state).toBe("resolved");
  });
});
