// 200 callers in a closed loop demand more than five servers allow, over a network of 0 to 300 ms each way. The servers
// must see no 429 and serve nearly their whole capacity. An amount is in use from its grant until one window after the
// headers, so capacity is `limit` per window and round trip.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrateLimiter, NoAvailableProviders } from "../../../src/index.ts";
import { closedLoop, type Saturation, unixNow } from "../../support/http/closed-loop.ts";
import {
  DELAY_MS,
  declared,
  SERVER_NAMES,
  SERVERS,
  type ServerName,
  tokensOf,
  WINDOW_MS,
} from "../../support/http/five-servers.ts";
import { LimitedServers } from "../../support/http/limited-servers.ts";
import { figures, peakOf, type RoundTrip, type Share, shareOf } from "../../support/http/served-capacity.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const CALLERS = 200;
/** The callers that require one provider. */
const CALLERS_PER_PROVIDER = 12;
/** One window of warm-up, then three whole periods of a window and a round trip. */
const SATURATED_MS = WINDOW_MS + 3 * (WINDOW_MS + 450);
/** The maximum share of time for which the machine can delay this process. */
const MOST_STALLED = 0.05;
const SEED = 20_261_122;

type Capability = ServerName | "any";

function newLimiter() {
  return new GrateLimiter<ServerName, { [capability in Capability]: ServerName }>({
    providers: SERVERS.map(declared),
    capabilities: {
      any: SERVER_NAMES,
      fixed: ["fixed"],
      sliding: ["sliding"],
      bucket: ["bucket"],
      tokens: ["tokens"],
      places: ["places"],
    },
    skewCapMs: Number.POSITIVE_INFINITY,
  });
}

/** The first callers require one provider each, and the others accept any. */
function capabilityOf(caller: number): Capability {
  return SERVER_NAMES[Math.floor(caller / CALLERS_PER_PROVIDER)] ?? "any";
}

function isWaiting(limiter: ReturnType<typeof newLimiter>): boolean {
  return (limiter.inspect().waiting["any"] ?? 0) > 0;
}

async function judge(
  title: string,
  limiter: ReturnType<typeof newLimiter>,
  servers: LimitedServers<ServerName>,
  { fromMs, untilMs, share: saturated, stalledMs }: Saturation,
  trips: readonly RoundTrip<ServerName>[],
): Promise<void> {
  const seen = await servers.seen();
  const shares = Object.fromEntries(
    SERVERS.map((plan) => [plan.name, shareOf(plan, seen[plan.name], trips, fromMs + WINDOW_MS, untilMs)]),
  ) as { [name in ServerName]: Share };
  console.log(
    `${figures(title, shares)}; seed ${SEED}, line present ${(100 * saturated).toFixed(1)} % of the time, stalled ${stalledMs.toFixed(0)} ms`,
  );

  // A busy machine invalidates the measured capacity, but not the number of 429s.
  const isFair = stalledMs < MOST_STALLED * (untilMs - fromMs);
  if (!isFair) console.warn(`${title}: the machine stalled, what was served is not judged`);
  for (const name of SERVER_NAMES) {
    expect(shares[name].refused, name).toBe(0);
    if (!isFair) continue;
    expect(saturated).toBeGreaterThan(0.99);
    expect(shares[name].served, name).toBeGreaterThanOrEqual(name === "places" ? 0.9 : 0.97);
    // More than the whole capacity would be an error of this calculation.
    expect(shares[name].served, name).toBeLessThan(1.05);
  }
  for (const plan of SERVERS) expect(peakOf(plan, seen[plan.name]), plan.name).toBeGreaterThanOrEqual(0.8);
  const { providers, waiting, oldestLeaseMs } = limiter.inspect();
  expect(providers.map(({ inFlight }) => inFlight)).toEqual(SERVER_NAMES.map(() => 0));
  expect(Object.values(waiting).every((count) => count === 0)).toBe(true);
  expect(oldestLeaseMs).toBeNull();
}

describe.concurrent("200 callers that demand more than five servers allow", () => {
  let forLeases: LimitedServers<ServerName>;
  let forRun: LimitedServers<ServerName>;
  beforeAll(async () => {
    const launch = () => LimitedServers.launch({ seed: SEED, servers: SERVERS, delayMs: DELAY_MS });
    [forLeases, forRun] = await Promise.all([launch(), launch()]);
  });
  afterAll(() => {
    forLeases.stop();
    forRun.stop();
  });

  it("with acquire, headersReceived and settle no 429 occurs and the limits are used up", async () => {
    const servers = forLeases;
    const limiter = newLimiter();
    const random = seededRandom(SEED);
    const trips: RoundTrip<ServerName>[] = [];
    const saturation = await closedLoop({
      callers: CALLERS,
      arriveWithinMs: 8_000,
      saturatedMs: SATURATED_MS,
      isWaiting: () => isWaiting(limiter),
      call: async (caller, signal) => {
        const tokens = tokensOf(random);
        const lease = await limiter
          .acquire(capabilityOf(caller), { tokens, maxWaitMs: Number.POSITIVE_INFINITY, signal })
          .catch((error: unknown) => {
            if (error !== signal.reason) throw error;
          });
        if (lease === undefined) return;
        const { provider } = lease;
        const at = unixNow();
        const response = await fetch(`${servers.urls[provider]}?tokens=${tokens}`, { method: "POST" });
        lease.headersReceived();
        const headersAt = unixNow();
        await response.text();
        lease.settle({ status: response.status });
        // The round trip of a place lasts until it is free again.
        const endedAt = provider === "places" ? unixNow() : headersAt;
        trips.push({ provider, at, ms: endedAt - at });
      },
    });
    await judge("acquire", limiter, servers, saturation, trips);
  });

  it("with run no 429 occurs and the limits are used up", async () => {
    const servers = forRun;
    const limiter = newLimiter();
    const random = seededRandom(SEED + 1);
    const trips: RoundTrip<ServerName>[] = [];
    const saturation = await closedLoop({
      callers: CALLERS,
      arriveWithinMs: 8_000,
      saturatedMs: SATURATED_MS,
      isWaiting: () => isWaiting(limiter),
      call: async (caller, signal) => {
        const tokens = tokensOf(random);
        // Like most programs, these callers do not report headers, so the round trip ends with the task.
        const sent = limiter.run(
          capabilityOf(caller),
          async ({ provider }) => {
            const at = unixNow();
            const response = await fetch(`${servers.urls[provider]}?tokens=${tokens}`, { method: "POST" });
            await response.text();
            trips.push({ provider, at, ms: unixNow() - at });
            return response;
          },
          { tokens, maxWaitMs: Number.POSITIVE_INFINITY, signal },
        );
        await sent.catch((error: unknown) => {
          // The callers that wait or are in flight at the end.
          if (!signal.aborted || NoAvailableProviders.is(error)) throw error;
        });
      },
    });
    // A request that was cut off at the end might still be processed, so its place stays occupied for a second.
    await sleep(1_500);
    await judge("run", limiter, servers, saturation, trips);
  });
});
