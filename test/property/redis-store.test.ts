// The script on a real server and the store in memory give equal answers to random histories, message by message.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisStore } from "../../src/redis/index.ts";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { withClock } from "../support/redis/clocked-script.ts";
import { RawClient } from "../support/redis/raw-client.ts";
import { type RedisServer, serverProgram, startServer } from "../support/redis/redis-server.ts";
import { StoreHistory, type StoreStep, storeStep } from "../support/redis/store-history.ts";
import { propertyRuns } from "../support/test-effort.ts";

const PROGRAM = serverProgram();
if (PROGRAM === null)
  console.warn("SKIPPED: redis-server is not installed, so the script is not compared with the model");

describe.skipIf(PROGRAM === null)("the script and the store in memory", () => {
  let server: RedisServer;
  let client: RawClient;

  beforeAll(async () => {
    server = await startServer(PROGRAM!);
    client = new RawClient(server.port);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  it("give equal answers to every message of a random history", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(storeStep, { maxLength: 60 }), async (steps) => {
        await client.send(["FLUSHALL"]);
        const { memory, redis } = await replay(steps, client);
        expect(redis).toEqual(memory);
      }),
      { numRuns: propertyRuns(600) },
    );
  }, 120_000);
});

async function replay(steps: readonly StoreStep[], client: RawClient) {
  let now = 1_000_000;
  const clock = { now: () => now };
  const stores = [new MemoryStore(clock), new RedisStore(withClock(client.send, clock.now))];
  const histories = stores.map(() => new StoreHistory());
  const answers: unknown[][] = [[], []];
  for (const step of steps) {
    now += step.waitMs;
    for (const [i, store] of stores.entries()) {
      const history = histories[i]!;
      answers[i]!.push(history.note(await store.exchange("group {a}", history.message(step))));
    }
  }
  return { memory: answers[0], redis: answers[1] };
}
