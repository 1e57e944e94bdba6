// Several limiters with one store: grants, exchanges, outages, and what is left of processes that end.
import { describe, expect, it } from "vitest";
import { GrateLimiter, GrateLimiterError, InvalidConfig, MockClock } from "../../../src/index.ts";
import { MemoryStore } from "../../../src/store/memory-store.ts";
import { sharedStore } from "../../../src/store/shared-store.ts";
import { type Fault, NO_FAULT } from "../../support/fleet/faulty-store.ts";
import { type FleetProcess, FleetWorld } from "../../support/fleet/fleet-world.ts";
import { LimitServer } from "../../support/fleet/limit-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const LOST: Fault = { ...NO_FAULT, requestMs: Infinity };

interface Setting {
  readonly processes: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly places?: number;
  readonly whenStoreIsDown?: "share" | "wait";
  readonly aheadMs?: number;
  readonly delayMs?: number;
}

class Scene {
  readonly world: FleetWorld;
  readonly engine: MemoryStore;
  exchanges = 0;
  isDown = false;
  readonly #setting: Setting;

  constructor(setting: Setting) {
    const { limit, windowMs, places = Infinity } = setting;
    this.#setting = setting;
    let engine!: MemoryStore;
    this.world = new FleetWorld(
      (clock) => {
        engine = new MemoryStore(clock);
        return engine;
      },
      new LimitServer(limit, windowMs, places),
      seededRandom(7),
    );
    this.engine = engine;
    for (let i = 0; i < setting.processes; i++) this.start();
  }

  start(): FleetProcess {
    const { limit, windowMs, places, whenStoreIsDown, aheadMs, delayMs = 0, processes } = this.#setting;
    const started = this.world.add(
      {
        providers: [
          {
            name: "a",
            quotas: [
              { dimension: "requests", limit, window: { seconds: windowMs / 1_000 } },
              ...(places === undefined ? [] : [{ dimension: "concurrency", limit: places } as const]),
            ],
          },
        ],
        capabilities: { chat: ["a"] },
        whenStoreIsDown,
        aheadMs,
      },
      1_000 * processes * this.world.processes.length,
    );
    started.fault = () => {
      this.exchanges++;
      return this.isDown ? LOST : { ...NO_FAULT, requestMs: delayMs / 2, answerMs: delayMs / 2 };
    };
    return started;
  }

  get processes(): readonly FleetProcess[] {
    return this.world.processes;
  }

  async wait(ms: number): Promise<void> {
    await this.world.clock.advanceMsAsync(ms);
  }

  /** Keeps `calls` requests of each process under way, each for `durationMs`. Returns the function that ends them. */
  saturate(calls: number, durationMs = 20): () => void {
    let isOver = false;
    for (const each of this.processes) {
      for (let i = 0; i < calls; i++) {
        void (async () => {
          while (!isOver && !each.clock.isKilled) {
            await each.request({ options: { maxWaitMs: Infinity }, durationMs });
          }
        })();
      }
    }
    return () => {
      isOver = true;
    };
  }

  /** Sends requests of each process at random, at that rate per second, for `ms`. */
  async poisson(ratePerSecond: number, ms: number): Promise<void> {
    const { random } = this.world;
    for (const each of this.processes) {
      for (let at = 0; at < ms; ) {
        at += (-Math.log(1 - random()) * 1_000) / ratePerSecond;
        this.world.clock.wakeAt(this.world.clock.now() + at, () => void each.request({ durationMs: 20 }));
      }
    }
    await this.wait(ms + 1_000);
  }

  get granted(): number {
    return this.processes.reduce((sum, each) => sum + each.granted, 0);
  }
}

/** Jain's index: 1 if all are equal, 1 / n if one has everything. */
function jain(amounts: readonly number[]): number {
  const sum = amounts.reduce((a, b) => a + b, 0);
  return sum ** 2 / (amounts.length * amounts.reduce((a, b) => a + b ** 2, 0));
}

describe("limits of several processes", () => {
  it.each([1, 4, 16])("%i saturated processes use a window in full and never exceed it", async (processes) => {
    const scene = new Scene({ processes, limit: 400, windowMs: 2_000, delayMs: 2 });
    const stop = scene.saturate(20);
    await scene.wait(1_000);
    const before = scene.world.server.served;
    await scene.wait(100_000);
    stop();
    expect(scene.world.server.exceeded).toBe(0);
    expect((scene.world.server.served - before) / (400 * 50)).toBeGreaterThan(processes === 16 ? 0.9 : 0.97);
  });

  it("16 saturated processes get equal parts of a window and of places: Jain's index is at least 0.9", async () => {
    const window = new Scene({ processes: 16, limit: 160, windowMs: 2_000, delayMs: 2 });
    const stopWindow = window.saturate(20);
    await window.wait(40_000);
    stopWindow();
    expect(jain(window.processes.map(({ granted }) => granted))).toBeGreaterThan(0.9);
    expect(window.world.server.exceeded).toBe(0);
    const places = new Scene({ processes: 16, limit: 100_000, windowMs: 1_000, places: 10, delayMs: 2 });
    const stopPlaces = places.saturate(20, 50);
    await places.wait(40_000);
    stopPlaces();
    expect(places.world.server.placesExceeded).toBe(0);
    expect(jain(places.processes.map(({ granted }) => granted))).toBeGreaterThan(0.9);
  });

  it("4 processes use at least 90 % of their places", async () => {
    const scene = new Scene({ processes: 4, limit: 100_000, windowMs: 1_000, places: 20, delayMs: 2 });
    const stop = scene.saturate(20, 100);
    await scene.wait(21_000);
    stop();
    expect(scene.world.server.placesExceeded).toBe(0);
    expect(scene.granted).toBeGreaterThan(0.9 * 20 * 200);
  });

  it("at 60 % load 4 processes need at most 0.4 exchanges a request, and the median call does not wait", async () => {
    const scene = new Scene({ processes: 4, limit: 400, windowMs: 2_000, delayMs: 50 });
    await scene.poisson(30, 3_000);
    scene.exchanges = 0;
    const [granted, waits] = [scene.granted, scene.processes.map(({ waits }) => waits.length)];
    await scene.poisson(30, 20_000);
    expect(scene.world.server.exceeded).toBe(0);
    expect(scene.exchanges / (scene.granted - granted)).toBeLessThan(0.4);
    const later = scene.processes.flatMap((each, index) => each.waits.slice(waits[index]));
    expect(later.sort((a, b) => a - b)[later.length >> 1]).toBe(0);
  });

  it("if the limit is smaller than the fleet, a request needs at most 4 exchanges", async () => {
    const scene = new Scene({ processes: 16, limit: 10, windowMs: 2_000, delayMs: 2 });
    const stop = scene.saturate(2);
    await scene.wait(60_000);
    stop();
    expect(scene.world.server.exceeded).toBe(0);
    expect(scene.granted).toBeGreaterThan(250);
    expect(scene.exchanges / scene.granted).toBeLessThan(4);
  });

  it("an idle fleet sends nothing after one window", async () => {
    const scene = new Scene({ processes: 4, limit: 400, windowMs: 2_000 });
    await scene.poisson(20, 5_000);
    await scene.wait(2_000 + 10_000 / 4 + 100);
    scene.exchanges = 0;
    await scene.wait(3_600_000);
    expect(scene.exchanges).toBe(0);
  });

  it("a call without patience asks the store once, and is refused with a time", async () => {
    const scene = new Scene({ processes: 2, limit: 5, windowMs: 60_000, delayMs: 50 });
    const first = Array.from({ length: 5 }, () => scene.processes[0]!.request());
    await scene.wait(2_000);
    await Promise.all(first);
    scene.exchanges = 0;
    const refused = scene.processes[1]!.limiter.acquire("chat", { maxWaitMs: 0 }).catch((error: unknown) => error);
    await scene.wait(500);
    const error = (await refused) as { readonly kind: string; readonly retryAfterMs: number };
    expect(error.kind).toBe("refused");
    expect(error.retryAfterMs).toBeGreaterThan(50_000);
    expect(scene.exchanges).toBeLessThanOrEqual(2);
  });

  it("tryAcquire is unsupported with a store, and names the call that asks it", () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      providers: [{ name: "a", limits: { rpm: 1 } }],
      capabilities: { chat: ["a"] },
      clock,
      store: sharedStore(new MemoryStore(clock)),
    });
    let error: unknown;
    try {
      limiter.tryAcquire("chat");
    } catch (thrown) {
      error = thrown;
    }
    expect(GrateLimiterError.is(error) && error.code).toBe("unsupported");
    expect(String(error)).toContain("maxWaitMs: 0");
  });

  it("a store is no option of the classic profile, and its options are checked", () => {
    const store = sharedStore(new MemoryStore(new MockClock()));
    expect(() => new GrateLimiter({ profile: "classic", store })).toThrow(InvalidConfig);
    expect(
      () => new GrateLimiter({ store: {} as never, aheadMs: -1, processTtlMs: 0, whenStoreIsDown: "no" as never }),
    ).toThrow(/4 problems/);
  });
});

describe("an outage of the store", () => {
  it.each(["wait", "share"] as const)(
    'with "%s" no call waits for ever, and the return exceeds nothing',
    async (whenStoreIsDown) => {
      const scene = new Scene({ processes: 4, limit: 100, windowMs: 2_000, whenStoreIsDown });
      const stop = scene.saturate(5);
      await scene.wait(10_000);
      expect(scene.world.server.exceeded).toBe(0);
      scene.isDown = true;
      await scene.wait(5_000);
      const during = scene.world.server.exceeded;
      if (whenStoreIsDown === "wait") expect(during).toBe(0);
      expect(scene.processes[0]!.limiter.inspect().store!.state).toBe("down");
      const before = scene.granted;
      await scene.wait(5_000);
      // Each of the four goes on with its share of the limit, or waits.
      if (whenStoreIsDown === "share") expect(scene.granted - before).toBeGreaterThan(150);
      else expect(scene.granted).toBe(before);
      scene.isDown = false;
      const exceeded = scene.world.server.exceeded;
      await scene.wait(20_000);
      expect(scene.world.server.exceeded).toBe(exceeded);
      expect(scene.granted - before).toBeGreaterThan(600);
      stop();
      await scene.wait(5_000);
      expect(scene.processes.map(({ waiting }) => waiting)).toEqual([0, 0, 0, 0]);
      expect(scene.processes[0]!.limiter.inspect().store!.state).toBe("connected");
    },
  );

  it("a process that has never reached the store waits, and says so", async () => {
    const scene = new Scene({ processes: 1, limit: 100, windowMs: 2_000, whenStoreIsDown: "share" });
    scene.isDown = true;
    const events: string[] = [];
    const { limiter } = scene.processes[0]!;
    limiter.on("storeDown", () => events.push("down"));
    limiter.on("storeUp", () => events.push("up"));
    const request = scene.processes[0]!.request({ options: { maxWaitMs: 60_000 } });
    await scene.wait(20_000);
    expect(scene.granted).toBe(0);
    expect(limiter.metrics.storeFailures).toBeGreaterThan(5);
    scene.isDown = false;
    await scene.wait(5_000);
    expect(await request).toBe(true);
    expect(events).toEqual(["down", "up"]);
  });

  it("a store that comes back empty is rebuilt from the processes, and nothing is exceeded", async () => {
    const scene = new Scene({ processes: 4, limit: 100, windowMs: 5_000 });
    const stop = scene.saturate(5);
    await scene.wait(12_000);
    for (let i = 0; i < 5; i++) {
      scene.engine.clear();
      await scene.wait(7_300);
    }
    stop();
    expect(scene.world.server.exceeded).toBe(0);
    expect(scene.granted).toBeGreaterThan(500);
  });

  it("a process that was stopped for longer than its TTL does not use what was given to others", async () => {
    const scene = new Scene({ processes: 2, limit: 100, windowMs: 5_000 });
    const stop = scene.saturate(5);
    await scene.wait(8_000);
    for (let i = 0; i < 3; i++) {
      scene.processes[0]!.clock.stop();
      await scene.wait(12_000);
      scene.processes[0]!.clock.continue();
      await scene.wait(6_000);
    }
    stop();
    expect(scene.world.server.exceeded).toBe(0);
  });

  it("the places of a killed process are free after its TTL and 1.5 s", async () => {
    const scene = new Scene({ processes: 2, limit: 10_000, windowMs: 1_000, places: 12 });
    const [killed, other] = [scene.processes[0]!, scene.processes[1]!];
    const held = Array.from({ length: 12 }, () => killed.request({ durationMs: 60_000 }));
    await scene.wait(2_000);
    expect(scene.world.server.inFlight).toBe(12);
    killed.kill();
    const calls = Array.from({ length: 12 }, () =>
      other.request({ options: { maxWaitMs: 60_000 }, durationMs: 60_000 }),
    );
    await scene.wait(8_000);
    expect(other.granted).toBe(0);
    await scene.wait(3_500);
    expect(other.granted).toBe(12);
    expect(scene.world.server.placesExceeded).toBe(0);
    await scene.wait(120_000);
    await Promise.all([...calls, ...held]);
  });
});

describe("processes that live for a short time", () => {
  it("200 functions with aheadMs 0 and flush use at least 95 % and leave nothing behind", async () => {
    const scene = new Scene({ processes: 0, limit: 100, windowMs: 2_000, aheadMs: 0, delayMs: 2 });
    let done = 0;
    const invoke = async () => {
      const each = scene.start();
      for (let i = 0; i < 5; i++) await each.request({ options: { maxWaitMs: Infinity }, durationMs: 10 });
      await each.limiter.flush();
      each.kill();
      done++;
    };
    const calls = Array.from({ length: 200 }, invoke);
    await scene.wait(500);
    const before = scene.world.server.served;
    await scene.wait(16_000);
    expect((scene.world.server.served - before) / 800).toBeGreaterThan(0.95);
    await scene.wait(20_000);
    await Promise.all(calls);
    expect(done).toBe(200);
    expect(scene.world.server.exceeded).toBe(0);
    const last = scene.start();
    expect(await Promise.race([last.request(), scene.wait(1_000)])).toBe(true);
    const [quota] = last.limiter.forecast("a")!;
    expect(quota!.inFlight - quota!.inHand!).toBeLessThanOrEqual(1);
  });

  it("close returns what is spare, and resolves although the store is down", async () => {
    const scene = new Scene({ processes: 2, limit: 100, windowMs: 60_000 });
    await scene.poisson(5, 3_000);
    const closed = scene.processes[0]!.limiter.close();
    await scene.wait(100);
    await closed;
    scene.isDown = true;
    const other = scene.processes[1]!.limiter.close();
    let isClosed = false;
    void other.then(() => {
      isClosed = true;
    });
    await scene.wait(600);
    expect(isClosed).toBe(true);
  });
});
