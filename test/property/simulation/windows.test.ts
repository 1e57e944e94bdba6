// Minutes of a saturated limiter against every kind of window server, over a network of 0 to 300 ms each way, with the
// default correction for network delay. There must be no 429, and the served amount must be nearly `limit x time /
// (window + mean round trip)`.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, NoAvailableProviders, type QuotaConfig } from "../../../src/index.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type Draft, SaturatedSender } from "../../support/simulation/saturated-sender.ts";
import { mean, type ServedShare, servedShare } from "../../support/simulation/served-share.ts";
import {
  type ServerLimit,
  SimulatedNetwork,
  SimulatedServer,
  WINDOW_MS,
} from "../../support/simulation/simulated-servers.ts";
import { effort } from "../../support/test-effort.ts";

const SEEDS = [1, 2, 3].slice(0, effort(3, 1));
const WINDOWS = 8;
const UNTIL_MS = WINDOWS * WINDOW_MS;
const SKEW_CAP_MS = 1_000;

/** The arrivals in the first window. Afterwards there is always more demand than capacity. */
const STARTS = ["simultaneous", "even", "random"] as const;
type Start = (typeof STARTS)[number];

const ALGORITHMS = ["fixed window", "sliding log", "token bucket"] as const;
const LIMITS: readonly ServerLimit[] = ALGORITHMS.flatMap((algorithm) => [
  { algorithm, counts: "requests", limit: 250 },
  { algorithm, counts: "tokens", limit: 50_000 },
]);

/** A request of 20 to 380 stated tokens with this time until its headers. */
function draftOf(network: SimulatedNetwork, workMs: () => number): Draft {
  const amounts = { requests: 1, tokens: Math.floor(network.between(20, 381)) };
  return { amounts, needs: { tokens: amounts.tokens }, workMs: workMs(), bodyMs: network.between(0, 2_000) };
}

function quotaOf({ counts, limit }: ServerLimit): QuotaConfig {
  return { dimension: counts, limit, window: "minute" };
}

/** Sends for eight minutes. The results are those from the second window on. */
function saturate(
  limit: ServerLimit,
  start: Start,
  seed: number,
  workMs: (network: SimulatedNetwork) => number,
): ServedShare {
  const clock = new MockClock();
  const network = new SimulatedNetwork(clock, seededRandom(seed));
  // One server with every possible phase.
  const copies = limit.algorithm === "fixed window" ? 10 : 1;
  const server = new SimulatedServer(network, Array<ServerLimit>(copies).fill(limit));
  const limiter = new GrateLimiter({
    clock,
    random: network.random,
    providers: [{ name: "p", quotas: [quotaOf(limit)] }],
    capabilities: { c: ["p"] },
  });
  const sender = new SaturatedSender(network, limiter, server, () => draftOf(network, () => workMs(network)));
  const firstWindow = limit.counts === "requests" ? limit.limit : limit.limit / 200;
  if (start === "simultaneous") sender.arrive(Number.POSITIVE_INFINITY);
  else {
    for (let i = 0; i < firstWindow; i++) {
      const at = start === "even" ? (i * WINDOW_MS) / firstWindow : network.between(0, WINDOW_MS);
      network.after(at, () => sender.arrive(1));
    }
    network.after(WINDOW_MS, () => sender.arrive(Number.POSITIVE_INFINITY));
  }
  clock.advanceMs(UNTIL_MS);
  const held = sender.trips.map(({ ms }) => Math.min(ms, SKEW_CAP_MS));
  return servedShare(server, limit, mean(held), WINDOW_MS, UNTIL_MS);
}

function line(title: string, runs: readonly ServedShare[]): string {
  const refused = runs.reduce((sum, run) => sum + run.refused, 0);
  const asked = runs.reduce((sum, run) => sum + run.asked, 0);
  const served = runs.map((run) => `${(100 * run.served).toFixed(2)} %`).join(", ");
  return `${title}: ${refused} 429s of ${asked}; of capacity: ${served} (seeds ${SEEDS.join(", ")})`;
}

describe.each(LIMITS)("a saturated limiter and a server with a $algorithm of $counts", (limit) => {
  const title = `${limit.algorithm}, ${limit.counts}`;

  it.each(STARTS)("there is no 429 and nearly all capacity is used with %s arrivals", (start) => {
    const runs = SEEDS.map((seed) => saturate(limit, start, seed, (network) => network.between(20, 80)));
    console.log(line(`${title}, ${start}`, runs));
    for (const { refused, served } of runs) {
      expect(refused).toBe(0);
      expect(served).toBeGreaterThanOrEqual(0.99);
      expect(served).toBeLessThan(1.01);
    }
  });

  it("there is no 429 and nearly all capacity is used if headers take up to 8 s, one second of which is credited", () => {
    const runs = SEEDS.map((seed) => saturate(limit, "random", seed, (network) => network.between(0, 8_000)));
    console.log(line(`${title}, late headers`, runs));
    for (const { refused, served } of runs) {
      expect(refused).toBe(0);
      expect(served).toBeGreaterThanOrEqual(0.99);
      expect(served).toBeLessThan(1.01);
    }
  });
});

describe("the simulation", () => {
  it("the simulation includes network delay: a limiter that counts from the sending is refused", () => {
    const limit = { algorithm: "sliding log", counts: "requests", limit: 250 } as const;
    const clock = new MockClock();
    const network = new SimulatedNetwork(clock, seededRandom(1));
    const server = new SimulatedServer(network, [limit]);
    const limiter = new GrateLimiter({
      clock,
      providers: [{ name: "p", quotas: [quotaOf(limit)] }],
      capabilities: { c: ["p"] },
    });
    const again = () => {
      const waitMs = waitFor(limiter);
      if (waitMs > 0) {
        network.after(waitMs, again);
        return;
      }
      limiter.observe({ provider: "p", outcome: { status: "success" } });
      const ignored = () => {};
      server.send({ amounts: { requests: 1, tokens: 0 }, workMs: 50, bodyMs: 0, answered: ignored, ended: ignored });
      network.after(0, again);
    };
    again();
    clock.advanceMs(UNTIL_MS);
    const { refused, asked } = servedShare(server, limit, 0, WINDOW_MS, UNTIL_MS);
    console.log(`counted at send: ${refused} 429s of ${asked}`);
    expect(refused).toBeGreaterThan(asked / 1_000);
  });

  it("every server refuses requests if a limit is declared 3 % too high", () => {
    for (const limit of LIMITS) {
      const clock = new MockClock();
      const network = new SimulatedNetwork(clock, seededRandom(1));
      const server = new SimulatedServer(network, [limit]);
      const quota = { ...quotaOf(limit), limit: 1.03 * limit.limit };
      const limiter = new GrateLimiter({
        clock,
        providers: [{ name: "p", quotas: [quota] }],
        capabilities: { c: ["p"] },
      });
      const draft = () => draftOf(network, () => network.between(20, 80));
      new SaturatedSender(network, limiter, server, draft).arrive(Number.POSITIVE_INFINITY);
      clock.advanceMs(UNTIL_MS);
      const { refused } = servedShare(server, limit, 300, 0, UNTIL_MS);
      // A bucket tolerates excess until its refill is used up.
      expect(refused, `${limit.algorithm}, ${limit.counts}`).toBeGreaterThan(0);
    }
  });
});

function waitFor(limiter: GrateLimiter): number {
  try {
    return limiter.select("c").waitMs ?? Number.NaN;
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    return error.retryAfterMs ?? Number.NaN;
  }
}
