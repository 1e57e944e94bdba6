import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { instrument } from "../../../src/prometheus/index.ts";

interface Metric {
  readonly name: string;
  get(): Promise<{ type: string; values: { metricName?: string; labels: object; value: number }[] }>;
}

/** Fake `Registry` of prom-client. */
class FakeRegistry {
  readonly metrics = new Map<string, Metric>();
  getSingleMetric(name: string): object | undefined {
    return this.metrics.get(name);
  }
  registerMetric(metric: Metric): void {
    if (this.metrics.has(metric.name)) throw new Error("registered twice");
    this.metrics.set(metric.name, metric);
  }
  removeSingleMetric(name: string): void {
    this.metrics.delete(name);
  }
  async values(name: string) {
    return (await this.metrics.get(`grate_limiter_${name}`)!.get()).values;
  }
}

const twoProviders = (clock = new MockClock()) =>
  new GrateLimiter({ providers: [{ name: "a" }, { name: "b" }], capabilities: { chat: ["a", "b"] }, clock });

describe("the Prometheus metrics of a limiter", () => {
  it("a failover is one rate limit, one alternative, one retry and two attempts", async () => {
    const register = new FakeRegistry();
    const limiter = twoProviders();
    instrument(limiter, { register });
    await limiter.run("chat", ({ provider }) => (provider === "a" ? { status: 429, headers: {} } : "done"));
    const chat = { limiter: "default", capability: "chat" };
    expect(await register.values("rate_limits_total")).toEqual([{ labels: { ...chat, provider: "a" }, value: 1 }]);
    expect(await register.values("alternatives_used_total")).toEqual([
      { labels: { ...chat, from: "a", to: "b" }, value: 1 },
    ]);
    expect(await register.values("retries_total")).toEqual([{ labels: { ...chat, provider: "b" }, value: 1 }]);
    expect(await register.values("attempts_total")).toEqual([
      { labels: { ...chat, provider: "a", status: "rate_limited" }, value: 1 },
      { labels: { ...chat, provider: "b", status: "success" }, value: 1 },
    ]);
  });

  it("a cooldown is counted in every bucket from its length on", async () => {
    const register = new FakeRegistry();
    const limiter = twoProviders();
    instrument(limiter, { register });
    limiter.observe({ provider: "a", outcome: { status: 429, retryAfterMs: 7_000 } });
    const values = await register.values("cooldown_seconds");
    const at = (le: string) => values.find(({ labels }) => "le" in labels && labels.le === le)!.value;
    expect([at("5"), at("10"), at("3600"), at("+Inf")]).toEqual([0, 1, 1, 1]);
    expect(values.find(({ metricName }) => metricName === "grate_limiter_cooldown_seconds_sum")!.value).toBe(7);
  });

  it("quotas with the same labels are one series, with the one that has least left", async () => {
    const register = new FakeRegistry();
    const quota = { dimension: "requests", window: "minute" } as const;
    const limiter = new GrateLimiter({
      providers: [
        {
          name: "a",
          quotas: [
            { ...quota, limit: 10 },
            { ...quota, limit: 3, strategy: "fixed_window" },
          ],
        },
      ],
      capabilities: { chat: ["a"] },
      clock: new MockClock(),
    });
    instrument(limiter, { register });
    expect((await register.values("quota_remaining")).map(({ value }) => value)).toEqual([3]);
  });

  it("two limiters share a registry under two names, and each leaves it alone", async () => {
    const register = new FakeRegistry();
    const removeOne = instrument(twoProviders(), { register, name: "one" });
    const removeTwo = instrument(twoProviders(), { register, name: "two" });
    expect(() => instrument(twoProviders(), { register, name: "two" })).toThrow(/"two" is already in this registry/);
    removeOne();
    removeOne();
    const limiters = new Set(
      (await register.values("health")).map(({ labels }) => (labels as { limiter: string }).limiter),
    );
    expect([...limiters]).toEqual(["two"]);
    removeTwo();
    expect(register.metrics.size).toBe(0);
  });

  it("a metric of another library with one of the names is an error, and nothing is registered", () => {
    const register = new FakeRegistry();
    register.metrics.set("grate_limiter_health", {} as Metric);
    expect(() => instrument(twoProviders(), { register })).toThrow(/not of grate-limiter/);
    expect(register.metrics.size).toBe(1);
  });

  it("a closed limiter can still be read, and a removed provider leaves no gauge", async () => {
    const register = new FakeRegistry();
    const limiter = twoProviders();
    instrument(limiter, { register });
    await limiter.close();
    limiter.removeProvider("a");
    expect((await register.values("health")).map(({ labels }) => labels)).toEqual([
      { limiter: "default", provider: "b" },
    ]);
  });
});
