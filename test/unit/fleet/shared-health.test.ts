// Cooldowns, dead keys and trials of several processes.
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../../src/store/memory-store.ts";
import { FleetWorld } from "../../support/fleet/fleet-world.ts";
import { LimitServer } from "../../support/fleet/limit-server.ts";

const OPTIONS = {
  providers: [{ name: "a", limits: { rpm: 1_000 } }],
  capabilities: { chat: ["a"] },
};

/** A world of that many processes, which have all reached the store. */
async function worldOf(count: number): Promise<FleetWorld> {
  const world = new FleetWorld((clock) => new MemoryStore(clock), new LimitServer(1_000, 60_000));
  for (let i = 0; i < count; i++) world.add(OPTIONS, i * 1_000);
  const first = world.processes.map((process) => process.request());
  await world.clock.advanceMsAsync(2_000);
  expect(await Promise.all(first)).not.toContain(false);
  return world;
}

const cooldowns = (world: FleetWorld) =>
  world.processes.map(({ limiter }) => limiter.inspect().providers[0]!.cooldownMs);

describe("health that processes share", () => {
  it("a Retry-After that one process reports is known to all processes within 1.2 s", async () => {
    const world = await worldOf(16);
    const lease = await world.processes[3]!.limiter.acquire("chat");
    lease.settle({ status: "rate_limited", retryAfterMs: 20_000 });
    // All of them have used something in the last window, so that none is idle.
    const requests = world.processes.map((process) =>
      process.limiter.acquire("chat", { maxWaitMs: 1_000 }).catch((error: unknown) => error),
    );
    await world.clock.advanceMsAsync(1_200);
    for (const ms of cooldowns(world)) expect(ms).toBeGreaterThan(18_000);
    await Promise.all(requests);
  });

  it("of 16 processes one sends the trial after a cooldown, and its success is known to all", async () => {
    const world = await worldOf(16);
    const lease = await world.processes[0]!.limiter.acquire("chat");
    lease.settle({ status: "rate_limited", retryAfterMs: 5_000 });
    await world.clock.advanceMsAsync(1_000);
    const arrivals: number[] = [];
    const calls = world.processes.map(({ limiter }) =>
      limiter.acquire("chat", { maxWaitMs: 60_000 }).then(async (granted) => {
        arrivals.push(world.clock.now());
        const before = arrivals.length;
        await new Promise<void>((resolve) => world.clock.wakeAt(world.clock.now() + 300, resolve));
        granted.settle("success");
        return before;
      }),
    );
    await world.clock.advanceMsAsync(4_000);
    // The trial is open from 5 s after the refusal on, for 300 ms.
    await world.clock.advanceMsAsync(250);
    expect(arrivals.length).toBe(1);
    await world.clock.advanceMsAsync(20_000);
    expect((await Promise.all(calls)).length).toBe(16);
    expect(cooldowns(world).every((ms) => ms === 0)).toBe(true);
  });

  it("a failed trial of one process lengthens the cooldown of all", async () => {
    const world = await worldOf(4);
    const lease = await world.processes[0]!.limiter.acquire("chat");
    lease.settle({ status: "rate_limited" });
    await world.clock.advanceMsAsync(100);
    let sent = 0;
    for (const { limiter } of world.processes) {
      void (async () => {
        for (;;) {
          const granted = await limiter.acquire("chat", { maxWaitMs: Infinity });
          sent++;
          granted.settle({ status: "rate_limited" });
        }
      })();
    }
    await world.clock.advanceMsAsync(30_000);
    // 1, 2, 4, 8, 16 s: one trial at the end of each.
    expect(sent).toBeLessThanOrEqual(6);
    expect(sent).toBeGreaterThanOrEqual(4);
  });

  it("a dead key is dead in all processes, and reviving it in one revives it in all", async () => {
    const world = await worldOf(4);
    const lease = await world.processes[1]!.limiter.acquire("chat");
    lease.settle({ status: "unauthorized" });
    await world.clock.advanceMsAsync(3_000);
    const states = () => world.processes.map(({ limiter }) => limiter.inspect().providers[0]!.state);
    expect(new Set(states())).toEqual(new Set(["dead"]));
    world.processes[2]!.limiter.reviveProvider("a");
    await world.clock.advanceMsAsync(3_000);
    expect(new Set(states())).toEqual(new Set(["available"]));
  });
});
