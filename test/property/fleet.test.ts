// Several processes with one store, in random histories with faults: no limit is exceeded, no call waits for ever, and no
// amount is negative. The provider counts independently.
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { type Fault, NO_FAULT } from "../support/fleet/faulty-store.ts";
import { FleetWorld } from "../support/fleet/fleet-world.ts";
import { LimitServer } from "../support/fleet/limit-server.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { effort } from "../support/test-effort.ts";

const SEED = Number(process.env["SEED"] ?? 20_261_122);

interface History {
  readonly exceeded: number;
  readonly placesExceeded: number;
  readonly served: number;
  readonly stuck: number;
  readonly odd: readonly string[];
  readonly late: number;
}

/** One random history of 20 to 40 s. */
async function history(seed: number, whenStoreIsDown: "wait" | "share"): Promise<History> {
  const random = seededRandom(seed);
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const limit = whole(1, 200);
  const windowMs = whole(500, 5_000);
  const places = random() < 0.5 ? whole(1, 20) : Infinity;
  const isSized = random() < 0.3;
  const world = new FleetWorld((clock) => new MemoryStore(clock), new LimitServer(limit, windowMs, places), random);
  const dimension = isSized ? "tokens" : "requests";
  const options = {
    providers: [
      {
        name: "a",
        quotas: [
          { dimension, limit, window: { seconds: windowMs / 1_000 } } as const,
          ...(places < Infinity ? [{ dimension: "concurrency", limit: places } as const] : []),
        ],
      },
    ],
    capabilities: { chat: ["a"] },
    skewCapMs: 1_000,
    whenStoreIsDown,
    aheadMs: random() < 0.2 ? 0 : 200,
    processTtlMs: whole(1_000, 4_000),
  };
  const badness = random() < 0.3 ? 0 : random() * 0.5;
  const delayMs = random() < 0.5 ? 0 : whole(1, 60);
  const fault = (): Fault => {
    const base = { ...NO_FAULT, requestMs: delayMs / 2, answerMs: delayMs / 2 };
    if (random() >= badness) return base;
    switch (whole(0, 5)) {
      case 0:
        return { ...base, isRejected: true };
      case 1:
        return { ...base, requestMs: Infinity };
      case 2:
        return { ...base, answerMs: Infinity };
      case 3:
        return { ...base, requestMs: whole(0, 3_000) };
      case 4:
        return { ...base, answerMs: whole(0, 3_000) };
      default:
        return { ...base, isRepeated: true };
    }
  };
  let areFaultsOver = false;
  const start = () => {
    const process = world.add(options, whole(-5_000, 5_000));
    process.fault = () => (areFaultsOver ? NO_FAULT : fault());
    return process;
  };
  for (let i = whole(1, 5); i > 0; i--) start();
  const late = 0;
  const odd = new Set<string>();
  const requests: Promise<boolean>[] = [];
  for (let step = effort(400, 200); step > 0; step--) {
    const alive = world.processes.filter(({ clock }) => !clock.isKilled);
    const process = alive[whole(0, alive.length - 1)];
    const chance = random();
    if (chance < 0.01 && process !== undefined) process.kill();
    else if (chance < 0.03 || process === undefined) start();
    else if (chance < 0.04) {
      const { clock } = process;
      clock.stop();
      world.clock.wakeAt(world.clock.now() + whole(100, 9_000), () => clock.continue());
    } else if (chance < 0.05) void process.limiter.flush();
    else {
      for (let i = whole(1, 10); i > 0; i--) {
        const amount = isSized ? whole(1, Math.max(1, Math.floor(limit / 3))) : 1;
        const maxWaitMs = random() < 0.3 ? 0 : random() < 0.5 ? whole(1, 3_000) : Infinity;
        const signal = random() < 0.1 ? abortAfter(world, whole(0, 1_000)) : undefined;
        requests.push(
          new Promise((resolve) => {
            process.clock.run(() => {
              const plan = {
                amount,
                networkMs: whole(0, 1) * whole(0, 300),
                headersMs: whole(0, 300),
                durationMs: whole(0, 500),
              };
              const options = { maxWaitMs, signal, ...(isSized && { tokens: amount }) };
              process.request({ options, ...plan }).then(resolve, () => resolve(false));
            });
          }),
        );
      }
    }
    await world.clock.advanceMsAsync(whole(0, 1) * whole(0, 200));
    if (step % 10 === 0) for (const each of world.oddAmounts()) odd.add(each);
  }
  areFaultsOver = true;
  for (const { clock } of world.processes) if (!clock.isKilled) clock.continue();
  // Long enough for everything that waits, at one request a window.
  for (let round = 0; round < 4_000; round++) {
    await world.clock.advanceMsAsync(500);
    if (world.processes.every(({ clock, waiting }) => clock.isKilled || waiting === 0)) break;
  }
  const stuck = world.processes.reduce((sum, { clock, waiting }) => sum + (clock.isKilled ? 0 : waiting), 0);
  const { exceeded, placesExceeded, served } = world.server;
  return { exceeded, placesExceeded, served, stuck, odd: [...odd], late };
}

function abortAfter(world: FleetWorld, ms: number): AbortSignal {
  const controller = new AbortController();
  world.clock.wakeAt(world.clock.now() + ms, () => controller.abort());
  return controller.signal;
}

describe("several processes with one store", () => {
  it('with "wait" no history exceeds a limit, leaves a call waiting, or makes an amount negative', async () => {
    const runs = Number(process.env["RUNS"] ?? effort(80, 40));
    let served = 0;
    for (let run = 0; run < runs; run++) {
      const seed = SEED + run;
      const result = await history(seed, "wait");
      served += result.served;
      expect({ seed, ...result, served: 0 }).toEqual({
        seed,
        exceeded: 0,
        placesExceeded: 0,
        served: 0,
        stuck: 0,
        odd: [],
        late: 0,
      });
    }
    expect(served).toBeGreaterThan(runs * 50);
  });

  it('with "share" no history leaves a call waiting or makes an amount negative', async () => {
    const runs = Number(process.env["RUNS"] ?? effort(100, 15));
    for (let run = 0; run < runs; run++) {
      const seed = SEED + 10_000 + run;
      const { stuck, odd } = await history(seed, "share");
      expect({ seed, stuck, odd }).toEqual({ seed, stuck: 0, odd: [] });
    }
  });
});
