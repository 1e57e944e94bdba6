// Would the servers tell? Clients that send too much, by a lot and by a little, must be refused by each of them.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../property/seeded-random.ts";
import { LimitedServers, type ServerPlan } from "./limited-servers.ts";

type Name = "fixed" | "sliding" | "bucket" | "tokens" | "places" | "both" | "plain";

const WINDOW_MS = 1_000;
const requests = { counts: "requests", limit: 20, windowMs: WINDOW_MS } as const;
const SERVERS: readonly ServerPlan<Name>[] = [
  { name: "fixed", windows: [{ algorithm: "fixed window", ...requests }], workMs: [0, 0] },
  { name: "sliding", windows: [{ algorithm: "sliding log", ...requests }], workMs: [0, 0] },
  { name: "bucket", windows: [{ algorithm: "token bucket", ...requests }], workMs: [0, 0] },
  {
    name: "tokens",
    windows: [{ algorithm: "sliding log", counts: "tokens", limit: 200, windowMs: WINDOW_MS }],
    workMs: [0, 0],
  },
  { name: "places", windows: [], places: 5, workMs: [200, 200] },
  {
    name: "both",
    windows: [
      { algorithm: "sliding log", counts: "requests", limit: 20, windowMs: 60_000 },
      { algorithm: "sliding log", counts: "tokens", limit: 200, windowMs: 60_000 },
    ],
    workMs: [0, 0],
  },
  { name: "plain", windows: [], workMs: [0, 0] },
];

let servers: LimitedServers<Name>;
beforeAll(async () => {
  servers = await LimitedServers.launch({ seed: 1, servers: SERVERS, delayMs: 100 });
});
afterAll(() => servers.stop());

async function send(name: Name, query = "tokens=10", signal?: AbortSignal): Promise<number> {
  const response = await fetch(`${servers.urls[name]}?${query}`, { method: "POST", ...(signal && { signal }) });
  await response.text();
  return response.status;
}

describe.concurrent("the servers of the tests", () => {
  const naive = ["fixed", "sliding", "bucket", "tokens", "places"] as const;
  it.each(naive)("refuse a client without a limiter: %s", async (name) => {
    const statuses = await Promise.all(Array.from({ length: 60 }, () => send(name)));
    const { requests: seen } = (await servers.seen())[name];
    const refused = statuses.filter((status) => status === 429).length;
    expect(refused).toBeGreaterThan(10);
    // They say what they did.
    expect(seen.filter(({ status }) => status === 429)).toHaveLength(refused);
    expect(seen.filter(({ status }) => status === 200)).toHaveLength(60 - refused);
    expect(seen.every(({ status, refusedBy }) => (status === 429) === (refusedBy !== undefined))).toBe(true);
  });

  it("count a request in all limits or in none", async () => {
    const all = (count: number, query: string) => Promise.all(Array.from({ length: count }, () => send("both", query)));
    expect(new Set(await all(10, "tokens=0"))).toEqual(new Set([200]));
    expect(await send("both", "tokens=201")).toBe(429);
    expect(new Set(await all(10, "tokens=20"))).toEqual(new Set([200]));
    expect(await send("both", "tokens=0")).toBe(429);
  });

  it("delay what they are sent and what they send, each up to the given time", async () => {
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
    expect(mean).toBeGreaterThan(70);
    expect(mean).toBeLessThan(200);
    expect(Math.max(...trips)).toBeGreaterThan(120);
  });

  it("answer as they are asked to, and note who left", async () => {
    expect(await send("plain", "tokens=1&answer=503")).toBe(503);
    expect(await send("plain", "tokens=2&answer=stream")).toBe(200);
    const impatient = AbortSignal.timeout(400);
    await expect(send("plain", "tokens=3&answer=silence", impatient)).rejects.toThrow("timeout");
    const stream = await fetch(`${servers.urls.plain}?tokens=4&answer=stream`);
    await stream.body?.cancel();
    await sleep(300);
    const { requests: seen, mostAtOnce } = (await servers.seen()).plain;
    const by = (tokens: number) => seen.find((request) => request.tokens === tokens);
    expect(by(1)).toMatchObject({ status: 503, isLeft: false });
    expect(by(2)).toMatchObject({ status: 200, isLeft: false });
    expect(by(3)).toMatchObject({ status: 0, isLeft: true });
    expect(by(4)).toMatchObject({ status: 200, isLeft: true });
    expect(mostAtOnce).toBeGreaterThan(1);
  });
});
