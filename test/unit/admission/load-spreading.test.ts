// spread: "headroom" selects at random, weighted by headroom, among the providers within 25 % of the best score.
import { describe, expect, it } from "vitest";
import { type GrateLimiterOptions, PriorityScorer } from "../../../src/index.ts";
import { LimiterFixture } from "../../support/limiter-fixture.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function spreadFixture(options: Partial<GrateLimiterOptions> = {}, used: readonly number[] = [0, 0, 0]) {
  const fixture = new LimiterFixture({
    spread: "headroom",
    random: seededRandom(7),
    providers: ["a", "b", "c"].map((name) => ({ name, limits: { rph: 1_000, rpd: 1e6 } })),
    capabilities: { chat: ["a", "b", "c"] },
    ...options,
  });
  for (const [i, requests] of used.entries()) {
    if (requests > 0)
      fixture.limiter.observe({ provider: "abc"[i]!, usage: { requests }, outcome: { status: "success" } });
  }
  // Long enough for the burst to cause no pressure any more, but still within the window.
  fixture.clock.advanceMs(600_000);
  return fixture;
}

function shares(fixture: LimiterFixture, draws = 4_000, options = {}): { [provider: string]: number } {
  const counts: { [provider: string]: number } = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < draws; i++) {
    const lease = fixture.grant(options);
    counts[lease.provider]! += 1 / draws;
    lease.release();
    // Slow enough not to count as a burst.
    fixture.clock.advanceMs(500);
  }
  return counts;
}

describe("spread by headroom", () => {
  it("equal providers get equal shares", () => {
    const counts = shares(spreadFixture());
    for (const name of ["a", "b", "c"]) expect(counts[name]).toBeCloseTo(1 / 3, 1);
  });

  it("shares are in proportion to the remaining capacity", () => {
    const counts = shares(spreadFixture({}, [0, 400, 200]));
    const all = 1 + 0.6 + 0.8;
    expect(Math.abs(counts["a"]! - 1 / all)).toBeLessThan(0.03);
    expect(Math.abs(counts["b"]! - 0.6 / all)).toBeLessThan(0.03);
    expect(Math.abs(counts["c"]! - 0.8 / all)).toBeLessThan(0.03);
  });

  it("requests in flight reduce the share of a provider, so the shares level out", () => {
    const fixture = spreadFixture({}, [0, 400, 0]);
    const counts: { [provider: string]: number } = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 2_500; i++) counts[fixture.grant().provider]!++;
    expect(Math.abs(counts["a"]! - counts["c"]!)).toBeLessThan(100);
    expect(counts["b"]! + 400).toBeLessThan(1_000);
    expect(fixture.grant().granted).toBe(true);
  });

  it("a provider more than 25 % below the best score gets nothing while the best have capacity", () => {
    const fixture = spreadFixture({ scoring: new PriorityScorer() });
    fixture.limiter.updateProvider("a", { priority: 100 });
    fixture.limiter.updateProvider("b", { priority: 80 });
    fixture.limiter.updateProvider("c", { priority: 70 });
    const scored = fixture.limiter.select("chat");
    const relative = scored.alternatives.map(({ provider, score }) => [provider, score / scored.score]);
    const counts = shares(fixture);
    for (const [name, ratio] of relative) {
      expect(counts[name as string]! > 0, `${name} at ${ratio}`).toBe((ratio as number) >= 0.75);
    }
    const sick = spreadFixture({}, [0, 0, 0]);
    for (let i = 0; i < 2; i++)
      sick.limiter.observe({ provider: "c", usage: { requests: 0 }, outcome: { status: "forbidden" } });
    sick.limiter.updateProvider("c", { priority: 1 });
    expect(shares(sick, 1_000)["c"]).toBe(0);
  });

  it("a provider below that band is used if no provider in the band has capacity", () => {
    const fixture = spreadFixture({}, [1_000, 1_000, 0]);
    for (let i = 0; i < 50; i++) expect(fixture.grant().provider).toBe("c");
    for (let i = 0; i < 50; i++) expect(fixture.grant({ exclude: ["a"] }).provider).toBe("c");
    expect(fixture.refusal({ only: ["a", "b"] }).reasons.map(({ reason }) => reason)).toEqual([
      "quota",
      "quota",
      "excluded",
    ]);
  });

  it("spreading is a preference only: a provider with a low score is used before a request is refused", () => {
    const fixture = spreadFixture({}, [990, 995, 1_000]);
    const counts: { [provider: string]: number } = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 15; i++) counts[fixture.grant().provider]!++;
    expect(counts).toEqual({ a: 10, b: 5, c: 0 });
    fixture.refusal();
  });

  it("the same random numbers give the same shares, and other numbers give others", () => {
    const drawn = (seed: number) => {
      const fixture = spreadFixture({ random: seededRandom(seed) }, [100, 0, 50]);
      return Array.from({ length: 60 }, () => fixture.grant().provider).join("");
    };
    expect(drawn(1)).toBe(drawn(1));
    expect(drawn(1)).not.toBe(drawn(2));
  });

  it("spreading works with any result of `random`, valid or not", () => {
    for (const value of [0, 1 - 2 ** -53, 0.5, 1, -1, 7, Number.NaN, Number.POSITIVE_INFINITY]) {
      const fixture = spreadFixture({ random: () => value }, [0, 500, 1_000]);
      for (let i = 0; i < 1_500; i++) expect(["a", "b"]).toContain(fixture.grant().provider);
      fixture.refusal();
    }
  });

  it("waiters are spread, too", async () => {
    const fixture = spreadFixture({}, [1_000, 1_000, 1_000]);
    const line = Array.from({ length: 300 }, () => fixture.acquire({ maxWaitMs: 1e8 }));
    await fixture.advance(3_000_000);
    const counts = new Map<string, number>();
    for (const { lease } of line) counts.set(lease!.provider, (counts.get(lease!.provider) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(["a", "b", "c"]);
    for (const count of counts.values()) expect(count).toBeGreaterThan(60);
  });

  it("spreading works with unlimited providers and with one remaining candidate", () => {
    const fixture = new LimiterFixture({
      ...{ spread: "headroom", random: seededRandom(3) },
      providers: [{ name: "a" }, { name: "b" }, { name: "c" }],
      capabilities: { chat: ["a", "b", "c"] },
    });
    const counts = shares(fixture, 3_000);
    for (const name of ["a", "b", "c"]) expect(counts[name]).toBeGreaterThan(0.25);
    expect(shares(fixture, 10, { only: ["b"] })).toMatchObject({ a: 0, c: 0 });
  });
});

describe("spread by score, the default", () => {
  it("spread by score takes the best provider and asks for no random number", () => {
    for (const spread of [undefined, "score"] as const) {
      let asked = 0;
      const random = () => {
        asked++;
        return 0.99;
      };
      const fixture = spreadFixture({ spread, random, scoring: new PriorityScorer() });
      fixture.limiter.updateProvider("b", { priority: 90 });
      for (let i = 0; i < 30; i++) expect(fixture.grant().provider).toBe("b");
      expect(asked).toBe(0);
    }
  });
});
