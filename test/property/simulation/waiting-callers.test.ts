// Callers that wait with `acquire` for five servers on a mock clock: minutes of traffic in seconds, without real time.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderConfig } from "../../../src/index.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { mean, servedShare } from "../../support/simulation/served-share.ts";
import {
  type ServerLimit,
  SimulatedNetwork,
  SimulatedServer,
  WINDOW_MS,
} from "../../support/simulation/simulated-servers.ts";

const SEEDS = [1];
const UNTIL_MS = 5 * WINDOW_MS;
const CALLERS = 40;
const FOREVER = Number.POSITIVE_INFINITY;

type Name = "fixed" | "sliding" | "bucket" | "tokens" | "places";
const LIMITS: { readonly [name in Exclude<Name, "places">]: ServerLimit } = {
  fixed: { algorithm: "fixed window", counts: "requests", limit: 50 },
  sliding: { algorithm: "sliding log", counts: "requests", limit: 50 },
  bucket: { algorithm: "token bucket", counts: "requests", limit: 50 },
  tokens: { algorithm: "sliding log", counts: "tokens", limit: 5_000 },
};
const NAMES = ["fixed", "sliding", "bucket", "tokens", "places"] as const;
/** Slow enough that one place serves no more than a window server does. */
const PLACE_WORK_MS = 1_500;

function declared(name: Name): ProviderConfig<Name> {
  if (name === "places") return { name, limits: { concurrency: 1 } };
  const { counts, limit } = LIMITS[name];
  return { name, limits: counts === "requests" ? { rpm: limit } : { tpm: limit } };
}

describe("callers that wait for five servers", () => {
  it.each(SEEDS)("callers meet no 429 and use the whole limits from the second window on (seed %i)", async (seed) => {
    const clock = new MockClock();
    const network = new SimulatedNetwork(clock, seededRandom(seed));
    const servers = {} as { [name in Name]: SimulatedServer };
    for (const name of NAMES) {
      servers[name] = new SimulatedServer(
        network,
        name === "places" ? [] : [LIMITS[name]],
        name === "places" ? 1 : FOREVER,
      );
    }
    const limiter = new GrateLimiter<Name, { any: Name }>({
      clock,
      random: network.random,
      providers: NAMES.map(declared),
      capabilities: { any: NAMES },
    });
    const trips: { readonly provider: Name; readonly at: number; readonly ms: number }[] = [];
    const over = new AbortController();

    /** Resolves with the status when the response has ended. */
    function sent(provider: Name, tokens: number, onHeaders: () => void): Promise<number> {
      return new Promise((ended) => {
        const workMs = provider === "places" ? PLACE_WORK_MS : network.between(20, 80);
        const bodyMs = provider === "places" ? 0 : network.between(0, 500);
        servers[provider].send({ amounts: { requests: 1, tokens }, workMs, bodyMs, answered: onHeaders, ended });
      });
    }

    async function caller(): Promise<void> {
      while (!over.signal.aborted) {
        const tokens = Math.floor(network.between(20, 81));
        const lease = await limiter.acquire("any", { tokens, maxWaitMs: FOREVER, signal: over.signal });
        const at = network.now;
        let headersAt = at;
        const status = await sent(lease.provider, tokens, () => {
          lease.headersReceived();
          headersAt = network.now;
        });
        lease.settle({ status });
        const until = lease.provider === "places" ? network.now : headersAt;
        trips.push({ provider: lease.provider, at, ms: until - at });
      }
    }
    // Callers arrive during the first half of the first window, so that later windows do not start with all of them in
    // flight.
    const callers = Array.from({ length: CALLERS }, async (_, i) => {
      await new Promise<void>((resolve) => network.after((i * WINDOW_MS) / 2 / CALLERS, resolve));
      await caller();
    });
    const all = Promise.allSettled(callers);
    await clock.advanceMsAsync(UNTIL_MS);
    expect(limiter.inspect().waiting["any"]).toBeGreaterThan(0);
    over.abort();
    await clock.advanceMsAsync(10_000);
    for (const end of await all) if (end.status === "rejected") expect(end.reason).toBe(over.signal.reason);

    const parts: string[] = [];
    const refused = NAMES.map((name) => servers[name].arrivals.filter(({ isAccepted }) => !isAccepted).length);
    for (const name of NAMES) {
      const meanMs = mean(trips.filter(({ provider, at }) => provider === name && at >= WINDOW_MS).map(({ ms }) => ms));
      const share =
        name === "places"
          ? (servers[name].arrivals.filter(({ at }) => at >= WINDOW_MS && at < UNTIL_MS).length * meanMs) /
            (UNTIL_MS - WINDOW_MS)
          : servedShare(servers[name], LIMITS[name], meanMs, WINDOW_MS, UNTIL_MS).served;
      parts.push(`${name} ${(100 * share).toFixed(1)} %`);
      expect(share, name).toBeGreaterThanOrEqual(0.99);
      expect(share, name).toBeLessThan(1.02);
    }
    console.log(`acquire on MockClock: ${refused.reduce((a, b) => a + b)} 429s; ${parts.join(", ")} (seed ${seed})`);
    expect(refused).toEqual(NAMES.map(() => 0));
    const { providers, oldestLeaseMs } = limiter.inspect();
    expect(providers.map(({ inFlight }) => inFlight)).toEqual(NAMES.map(() => 0));
    expect(oldestLeaseMs).toBeNull();
  });
});
