// One provider that fails at random, for seconds, or for minutes, under a steady load of `run` with default options.
import { describe, expect, it } from "vitest";
import { type Clock, GrateLimiter, type RunOptions } from "../../../src/index.ts";
import { HttpError } from "../../support/run-fixture.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { effort } from "../../support/test-effort.ts";

/** Runs wake-ups in order, and after each of them all promises. */
class SimulatedClock implements Clock {
  #now = 0;
  #wakeUps: { atMs: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wakeAt(atMs: number, wake: () => void): () => void {
    const wakeUp = { atMs, wake };
    let place = this.#wakeUps.length;
    while (place > 0 && this.#wakeUps[place - 1]!.atMs > atMs) place--;
    this.#wakeUps.splice(place, 0, wakeUp);
    return () => {
      this.#wakeUps = this.#wakeUps.filter((other) => other !== wakeUp);
    };
  }

  async runToEnd(): Promise<void> {
    for (let next = this.#wakeUps.shift(); next !== undefined; next = this.#wakeUps.shift()) {
      this.#now = Math.max(this.#now, next.atMs);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

interface Load {
  readonly callsPerSecond: number;
  readonly forMs: number;
  readonly latencyMs: number;
  readonly options?: RunOptions<"only">;
  /** True if the provider answers a request that arrives at `now` with success, else with a 503. */
  readonly works: (now: number, random: () => number) => boolean;
}

async function simulate({ callsPerSecond, forMs, latencyMs, options, works }: Load, seed = 1) {
  const clock = new SimulatedClock();
  const random = seededRandom(seed);
  const limiter = new GrateLimiter({
    ...{ clock, random },
    providers: [{ name: "only" }],
    capabilities: { chat: ["only"] },
  });
  const sentAt: number[] = [];
  const servedAt: number[] = [];
  const servedInMs: number[] = [];
  let lost = 0;
  const task = async () => {
    const now = clock.now();
    sentAt.push(now);
    const isWorking = works(now, random);
    if (latencyMs > 0) await new Promise<void>((resolve) => clock.wakeAt(now + latencyMs, resolve));
    if (!isWorking) throw new HttpError(503);
    servedAt.push(clock.now());
  };
  const call = async () => {
    const from = clock.now();
    try {
      await limiter.run("chat", task, options);
      servedInMs.push(clock.now() - from);
    } catch {
      lost++;
    }
  };
  const gapMs = 1_000 / callsPerSecond;
  const startNext = (at: number) => {
    clock.wakeAt(at, () => {
      void call();
      if (at + gapMs < forMs) startNext(at + gapMs);
    });
  };
  startNext(0);
  await clock.runToEnd();
  const median = servedInMs.sort((a, b) => a - b)[servedInMs.length >> 1]!;
  return { sentAt, servedAt, lost, median, cooldowns: limiter.metrics.cooldownsTriggered };
}

describe("an only provider", () => {
  it("20 % random errors at 100 calls a second start few cooldowns, and the median call takes less than 0.5 s", async () => {
    const forMs = effort(60_000, 10_000);
    for (const latencyMs of [0, 300]) {
      const works = (_: number, random: () => number) => random() >= 0.2;
      const { median, cooldowns } = await simulate({ callsPerSecond: 100, forMs, latencyMs, works });
      expect(median).toBeLessThan(500);
      expect(cooldowns).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    [0, 1_500],
    [300, 2_200],
  ])(
    "after an outage of 2 s at 10 calls a second with a latency of %d ms it serves again within %d ms",
    async (latencyMs, limitMs) => {
      let latest = 0;
      for (let seed = 0; seed < effort(100, 10); seed++) {
        const [from, to] = [5_000 + 37 * seed, 7_000 + 37 * seed];
        const works = (now: number) => now < from || now >= to;
        const { servedAt } = await simulate({ callsPerSecond: 10, forMs: 20_000, latencyMs, works }, seed);
        latest = Math.max(latest, servedAt.find((at) => at - latencyMs >= to)! - to);
      }
      expect(latest).toBeLessThanOrEqual(limitMs);
    },
  );

  it.each([
    [0, 60_000],
    [300, 60_000],
    [0, 1_000],
    [300, 1_000],
  ])(
    "during an outage of 10 minutes, with latency %d ms and patience %d ms, it gets at most 150 requests",
    async (latencyMs, maxWaitMs) => {
      const [from, to] = [10_000, 610_000];
      const works = (now: number) => now < from || now >= to;
      const load = { callsPerSecond: 10, forMs: 630_000, latencyMs, works, options: { maxWaitMs } };
      const { sentAt, servedAt } = await simulate(load);
      const sent = sentAt.filter((at) => at >= from && at < to).length;
      const again = servedAt.find((at) => at - latencyMs >= to)! - to;
      expect(sent).toBeLessThanOrEqual(150);
      expect(again).toBeLessThanOrEqual(5_000 + latencyMs);
    },
  );
});
