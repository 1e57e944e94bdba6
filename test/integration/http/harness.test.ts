// The test servers must detect excess: clients that send too much, by a lot or by a little, must be refused by each
// server.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrateLimiter } from "../../../src/index.ts";
import { closedLoop } from "../../support/http/closed-loop.ts";
import { LimitedServers, type ServerPlan } from "../../support/http/limited-servers.ts";
import { seededRandom } from "../../support/seeded-random.ts";

type Name = "fixed" | "sliding" | "bucket" | "tokens" | "places" | "both" | "plain";

/** Servers with windows and processing times that are long enough for the test. */
function serversOf(windowMs: number, workMs: number): readonly ServerPlan<Name>[] {
  const requests = { counts: "requests", limit: 20, windowMs } as const;
  const tokens = { counts: "tokens", limit: 200, windowMs } as const;
  return [
    { name: "fixed", windows: [{ algorithm: "fixed window", ...requests }], workMs: [0, 0] },
    { name: "sliding", windows: [{ algorithm: "sliding log", ...requests }], workMs: [0, 0] },
    { name: "bucket", windows: [{ algorithm: "token bucket", ...requests }], workMs: [0, 0] },
    { name: "tokens", windows: [{ algorithm: "sliding log", ...tokens }], workMs: [0, 0] },
    { name: "places", windows: [], places: 5, workMs: [workMs, workMs] },
    {
      name: "both",
      windows: [
        { algorithm: "sliding log", ...requests },
        { algorithm: "sliding log", ...tokens },
      ],
      workMs: [0, 0],
    },
    { name: "plain", windows: [], workMs: [0, 0] },
  ];
}

let servers: LimitedServers<Name>;
let overdone: LimitedServers<Name>;
beforeAll(async () => {
  const launch = (windowMs: number, workMs: number) =>
    LimitedServers.launch({ seed: 1, servers: serversOf(windowMs, workMs), delayMs: 100 });
  [servers, overdone] = await Promise.all([launch(60_000, 2_000), launch(1_000, 200)]);
});
afterAll(() => {
  servers.stop();
  overdone.stop();
});

async function send(name: Name, query = "tokens=10", signal?: AbortSignal, to = servers): Promise<number> {
  const response = await fetch(`${to.urls[name]}?${query}`, { method: "POST", ...(signal && { signal }) });
  await response.text();
  return response.status;
}

describe.concurrent("the servers of the tests", () => {
  const naive = ["fixed", "sliding", "bucket", "tokens", "places"] as const;
  it.each(naive)("the servers refuse a client without a limiter: %s", async (name) => {
    const statuses = await Promise.all(Array.from({ length: 60 }, () => send(name)));
    const { requests: seen } = (await servers.seen())[name];
    const refused = statuses.filter((status) => status === 429).length;
    expect(refused).toBeGreaterThan(10);
    // The servers report what they enforced.
    expect(seen.filter(({ status }) => status === 429)).toHaveLength(refused);
    expect(seen.filter(({ status }) => status === 200)).toHaveLength(60 - refused);
    expect(seen.every(({ status, refusedBy }) => (status === 429) === (refusedBy !== undefined))).toBe(true);
  });

  it.each(["sliding", "tokens", "places"] as const)(
    "the servers refuse a limiter with limits that are 10 % too high: %s",
    async (name) => {
      const limits = { sliding: { rps: 22 }, tokens: {}, places: { concurrency: 6 } }[name];
      const quotas = [{ dimension: "tokens", limit: 220, window: "second" }] as const;
      const limiter = new GrateLimiter({
        providers: [{ name: "p", limits, ...(name === "tokens" && { quotas }) }],
        capabilities: { c: ["p"] },
        skewCapMs: Number.POSITIVE_INFINITY,
      });
      const random = seededRandom(1);
      const { share } = await closedLoop({
        callers: 60,
        arriveWithinMs: 500,
        saturatedMs: 4_000,
        isWaiting: () => limiter.inspect().waiting["c"]! > 0,
        call: async (_, signal) => {
          const tokens = 5 + Math.floor(11 * random());
          const options = { tokens, maxWaitMs: Number.POSITIVE_INFINITY, signal };
          const lease = await limiter.acquire("c", options).catch(() => {});
          if (lease === undefined) return;
          await send(name, `tokens=${tokens}`, undefined, overdone);
          // The limiter must not learn from the answers.
          lease.settle();
        },
      });
      expect(share).toBeGreaterThan(0.5);
      const { requests: seen } = (await overdone.seen())[name];
      expect(seen.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    },
  );

  it("the servers count a request in all limits or in none", async () => {
    const all = (count: number, query: string) => Promise.all(Array.from({ length: count }, () => send("both", query)));
    expect(new Set(await all(10, "tokens=0"))).toEqual(new Set([200]));
    expect(await send("both", "tokens=201")).toBe(429);
    expect(new Set(await all(10, "tokens=20"))).toEqual(new Set([200]));
    expect(await send("both", "tokens=0")).toBe(429);
  });

  it("the servers delay requests and responses", async () => {
    const random = seededRandom(1);
    const trips = await Promise.all(
      Array.from({ length: 40 }, async () => {
        await sleep(500 * random());
        const sentAt = performance.now();
        await send("plain", "tokens=7");
        return performance.now() - sentAt;
      }),
    );
    const mean = trips.reduce((sum, ms) => sum + ms, 0) / trips.length;
    // The machine itself can add any delay.
    expect(mean).toBeGreaterThan(70);
    expect(Math.max(...trips)).toBeGreaterThan(120);
  });

  it("the servers answer as requested, and record closed connections", async () => {
    expect(await send("plain", "tokens=1&answer=503")).toBe(503);
    expect(await send("plain", "tokens=2&answer=stream")).toBe(200);
    const impatient = AbortSignal.timeout(400);
    await expect(send("plain", "tokens=3&answer=silence", impatient)).rejects.toThrow("timeout");
    const stream = await fetch(`${servers.urls.plain}?tokens=4&answer=stream`);
    await stream.body?.cancel();
    await sleep(300);
    const { requests: seen } = (await servers.seen()).plain;
    const by = (tokens: number) => seen.find((request) => request.tokens === tokens);
    expect(by(1)).toMatchObject({ status: 503, isLeft: false });
    expect(by(2)).toMatchObject({ status: 200, isLeft: false });
    expect(by(3)).toMatchObject({ status: 0, isLeft: true });
    expect(by(4)).toMatchObject({ status: 200, isLeft: true });
  });
});
