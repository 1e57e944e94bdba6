// Use of a shared limit by 4 and 16 processes, in simulated time with 1 ms of delay to the store and to the provider. The
// store in memory stands for every store, because the script gives equal answers (redis-store.test.ts).
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { FleetWorld } from "../support/fleet/fleet-world.ts";
import { LimitServer } from "../support/fleet/limit-server.ts";
import { seededRandom } from "../support/seeded-random.ts";

interface Load {
  readonly processes: number;
  /** Requests per window; null: places. */
  readonly windowMs: number | null;
  readonly limit: number;
  readonly callers: number;
  readonly durationMs: number;
  /** Pause of each caller between two requests (ms). */
  readonly pauseMs?: number;
}

const START_MS = 4_000;
const MEASURED_MS = 20_000;

async function use({ processes, windowMs, limit, callers, durationMs, pauseMs = 0 }: Load) {
  let exchanges = 0;
  const random = seededRandom(7);
  const server = windowMs === null ? new LimitServer(1e9, 1_000, limit) : new LimitServer(limit, windowMs);
  const quota =
    windowMs === null
      ? ({ dimension: "concurrency", limit } as const)
      : ({ dimension: "requests", limit, window: { seconds: windowMs / 1_000 } } as const);
  const world = new FleetWorld(
    (clock) => {
      const store = new MemoryStore(clock);
      return {
        exchange(group, message) {
          exchanges++;
          return store.exchange(group, message);
        },
      };
    },
    server,
    random,
  );
  let isStopped = false;
  for (let i = 0; i < processes; i++) {
    const member = world.add({ providers: [{ name: "a", quotas: [quota] }], capabilities: { chat: ["a"] } });
    member.fault = () => ({ requestMs: 1, answerMs: 1, isRepeated: false, isRejected: false });
    for (let caller = 0; caller < callers / processes; caller++) {
      void (async () => {
        while (!isStopped) {
          await member.request({ networkMs: 1, headersMs: 1, durationMs });
          const until = world.clock.now() + pauseMs * 2 * random();
          if (pauseMs > 0) await new Promise<void>((resolve) => world.clock.wakeAt(until, resolve));
        }
      })();
    }
  }
  await world.clock.advanceMsAsync(START_MS);
  const before = world.processes.map(({ granted }) => granted);
  exchanges = 0;
  await world.clock.advanceMsAsync(MEASURED_MS);
  isStopped = true;
  const counts = world.processes.map(({ granted }, i) => granted - before[i]!);
  const total = counts.reduce((a, b) => a + b, 0);
  const perMs = windowMs === null ? limit / (durationMs + 2) : limit / windowMs;
  return {
    utilisation: total / (perMs * MEASURED_MS),
    jain: total ** 2 / (processes * counts.reduce((a, b) => a + b * b, 0)),
    exchangesPerRequest: exchanges / total,
    exceeded: server.exceeded + server.placesExceeded,
  };
}

describe("a limit that processes share", () => {
  const window = { windowMs: 2_000, limit: 400, callers: 64, durationMs: 5 };

  it("4 saturated processes use at least 97 % of a window, and never more than all", async () => {
    const { utilisation, exceeded } = await use({ ...window, processes: 4 });
    expect(exceeded).toBe(0);
    expect(utilisation).toBeGreaterThanOrEqual(0.97);
  });

  it("16 saturated processes divide a window evenly", async () => {
    const { utilisation, exceeded, jain } = await use({ ...window, processes: 16 });
    expect(exceeded).toBe(0);
    expect(utilisation).toBeGreaterThanOrEqual(0.97);
    expect(jain).toBeGreaterThanOrEqual(0.9);
  });

  it("4 processes use at least 90 % of 10 places", async () => {
    const { utilisation, exceeded } = await use({
      processes: 4,
      windowMs: null,
      limit: 10,
      callers: 64,
      durationMs: 200,
    });
    expect(exceeded).toBe(0);
    expect(utilisation).toBeGreaterThanOrEqual(0.9);
  });

  it("16 processes divide 10 places evenly", async () => {
    const { exceeded, jain } = await use({ processes: 16, windowMs: null, limit: 10, callers: 64, durationMs: 200 });
    expect(exceeded).toBe(0);
    expect(jain).toBeGreaterThanOrEqual(0.9);
  });

  it("4 processes at 60 % load need at most 0.4 exchanges per request", async () => {
    const { exchangesPerRequest, utilisation } = await use({ ...window, processes: 4, callers: 40, pauseMs: 325 });
    expect(utilisation).toBeGreaterThan(0.55);
    expect(exchangesPerRequest).toBeLessThanOrEqual(0.4);
  });

  it("16 processes with a limit of 10 need at most 4 exchanges per request", async () => {
    const { exchangesPerRequest, exceeded } = await use({ ...window, processes: 16, limit: 10, callers: 32 });
    expect(exceeded).toBe(0);
    expect(exchangesPerRequest).toBeLessThanOrEqual(4);
  });
});
