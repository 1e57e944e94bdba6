// Every store of the package passes the checks that the package offers for other stores.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StoreContract } from "../../src/api/store.ts";
import { MockClock } from "../../src/index.ts";
import { RedisStore } from "../../src/redis/index.ts";
import type { CheckedStore } from "../../src/store/check-process.ts";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { storeChecks } from "../../src/store/store-checks.ts";
import { RawClient } from "../support/redis/raw-client.ts";
import { type RedisServer, serverProgram, startServer } from "../support/redis/redis-server.ts";

function inMemory(wrap: (store: StoreContract) => StoreContract = (store) => store): CheckedStore {
  const clock = new MockClock({ startMs: 1_000_000 });
  return {
    store: wrap(new MemoryStore(clock)),
    now: () => clock.now(),
    passMs: async (ms) => clock.advanceMs(ms),
  };
}

describe("the checks of a store: the store in memory", () => {
  for (const { name, run } of storeChecks(() => inMemory())) it(name, run);
});

describe("the checks of a store fail", () => {
  const failing = async (wrap: (store: StoreContract) => StoreContract) => {
    const checks = storeChecks(() => inMemory(wrap));
    const results = await Promise.allSettled(checks.map(({ run }) => run()));
    return checks.filter((_, i) => results[i]!.status === "rejected").map(({ name }) => name);
  };

  it.each<[string, string, (store: StoreContract) => StoreContract]>([
    [
      "grants more than the limit",
      "what is used and held never exceeds the limit in a random history",
      (store) => ({
        exchange: (group, message) =>
          store.exchange(group, {
            ...message,
            quotas: message.quotas.map((each) => ({ ...each, limit: each.limit + 1 })),
          }),
      }),
    ],
    [
      "counts a batch twice",
      "a batch that is sent again with a new turn counts once",
      (store) => ({ exchange: (group, message) => store.exchange(group, { ...message, ledger: message.turn }) }),
    ],
    [
      "accepts old turns",
      "an overtaken message is stale and changes nothing",
      (store) => {
        let turn = 0;
        return { exchange: (group, message) => store.exchange(group, { ...message, turn: ++turn }) };
      },
    ],
    [
      "ignores the epoch",
      "a message of another epoch is answered with the new one and changes nothing",
      (store) => ({ exchange: (group, message) => store.exchange(group, { ...message, epoch: null }) }),
    ],
  ])("for a store that %s", async (_, check, wrap) => {
    expect(await failing(wrap)).toContain(check);
  });
});

for (const program of ["redis-server", "valkey-server"]) {
  const path = serverProgram(program);
  if (path === null) console.warn(`SKIPPED: ${program} is not installed, so its store is not checked`);
  describe.skipIf(path === null)(`the checks of a store: ${program}`, () => {
    let server: RedisServer;
    let client: RawClient;

    beforeAll(async () => {
      server = await startServer(path!);
      client = new RawClient(server.port);
    });

    afterAll(async () => {
      client.close();
      await server.stop();
    });

    const open = (): CheckedStore => ({
      store: new RedisStore(client.send as (command: string[]) => Promise<unknown>),
      now: () => performance.now(),
      passMs: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
    describe.concurrent("all", () => {
      for (const { name, run } of storeChecks(open)) it(name, run);
    });
  });
}
