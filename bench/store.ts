// Time of the server per exchange, as its own statistics count it, in each case that costs most. Prints a table, and fails if
// a median case is above 300 us. Run: npx tsx --tsconfig tsconfig.tools.json bench/store.ts [redis-server|valkey-server]
import type { StoreAnswer, StoreMessage, StoreQuota } from "../src/api/store.ts";
import { RedisStore } from "../src/redis/index.ts";
import { RawClient } from "../test/support/redis/raw-client.ts";
import { serverProgram, startServer } from "../test/support/redis/redis-server.ts";

const BUDGET_US = 300;
const PROCESSES = 16;
const ROUNDS = 40;
const GRACE_MS = 600;

const name = process.argv[2] ?? "redis-server";
const program = serverProgram(name);
if (program === null) {
  console.error(`SKIPPED: ${name} is not installed`);
  process.exit(0);
}
const server = await startServer(program, ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000"]);
const client = new RawClient(server.port);
const store = new RedisStore(client.send as (command: string[]) => Promise<unknown>);

/** A process that sends what a limiter would. */
class Sender {
  readonly #id: number;
  readonly #group: string;
  #turn = 0;
  #epoch: string | null = null;

  constructor(group: string, id: number) {
    this.#group = group;
    this.#id = id;
  }

  async send(part: Partial<StoreMessage> & { quotas: readonly StoreQuota[] }): Promise<StoreAnswer> {
    this.#turn++;
    const answer = await store.exchange(this.#group, {
      process: `process-${this.#id}-0123456789abcdef`,
      turn: this.#turn,
      ledger: this.#turn,
      epoch: this.#epoch,
      ttlMs: 10_000,
      isLeaving: false,
      wants: [],
      facts: [],
      ...part,
    });
    if (answer.status === "ok") this.#epoch = answer.epoch;
    return answer;
  }
}

const quota = (id: number, part: Partial<StoreQuota> = {}): StoreQuota => ({
  id: `provider a sliding_window dimension-${id}/60`,
  kind: "window",
  limit: 1_000,
  windowMs: 60_000,
  resetInMs: 0,
  held: 0,
  spare: 0,
  used: [],
  ahead: 0,
  ...part,
});
/** A log with as many buckets as one can have. */
// A store that is rebuilt gets at most 64 parts per message, so the log is filled by several.
const FULL = Array.from({ length: 510 }, (_, i) => [59_900 - Math.floor((i * 59_900) / 510), 1] as const);
const senders = (group: string) => Array.from({ length: PROCESSES }, (_, i) => new Sender(group, i));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fills the logs, in as many messages as that takes. */
async function fill(sender: Sender, count: number, part: Partial<StoreQuota>, used: StoreQuota["used"]): Promise<void> {
  for (let from = 0; from < used.length; from += 60) {
    const batch = used.slice(from, from + 60);
    await sender.send({ quotas: Array.from({ length: count }, (_, i) => quota(i, { ...part, used: batch })) });
  }
}

const rows: { case: string; median: number; p99: number; max: number }[] = [];
let isTooSlow = false;

/** Times the exchanges of `act` alone. */
async function measure(title: string, act: () => Promise<unknown>, rounds = ROUNDS, isBounded = true): Promise<void> {
  await client.send(["SLOWLOG", "RESET"]);
  for (let round = 0; round < rounds; round++) await act();
  const log = (await client.send(["SLOWLOG", "GET", "-1"])) as [number, number, number, string[]][];
  const times = log
    .filter(([, , , command]) => command[0]!.toUpperCase().startsWith("EVAL"))
    .map(([, , us]) => us)
    .sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  rows.push({ case: title, median: at(0.5), p99: at(0.99), max: at(1) });
  if (isBounded && at(0.5) > BUDGET_US) isTooSlow = true;
}

for (const count of [1, 4]) {
  const group = `plenty-${count}`;
  const fleet = senders(group);
  const quotas = Array.from({ length: count }, (_, i) =>
    quota(i, { limit: 1e9, used: [[5, 3]], held: 4, spare: 2, ahead: 9 }),
  );
  for (const each of fleet) await each.send({ quotas });
  await sleep(GRACE_MS);
  const wants = [{ needs: quotas.map((_, i) => [i, 1] as const), count: 3 }];
  await measure(`capacity for all, ${count} quotas`, async () => {
    for (const each of fleet) await each.send({ quotas, wants });
  });
}

for (const count of [1, 4]) {
  const group = `queue-${count}`;
  const fleet = senders(group);
  await fill(fleet[0]!, count, { limit: 510 }, FULL);
  const quotas = Array.from({ length: count }, (_, i) => quota(i, { limit: 510 }));
  const wants = Array.from({ length: 8 }, (_, k) => ({ needs: quotas.map((_, i) => [i, k + 2] as const), count: 8 }));
  for (const each of fleet) await each.send({ quotas, wants });
  await sleep(GRACE_MS);
  await measure(`16 processes in the queue, full logs, ${count} quotas`, async () => {
    for (const each of fleet) await each.send({ quotas, wants });
  });
  const deep = [{ needs: quotas.map((_, i) => [i, 400] as const), count: 1 }];
  await measure(`the same, a call that needs 400 buckets, ${count} quotas`, async () => {
    for (const each of fleet) await each.send({ quotas, wants: deep });
  });
}

{
  const fleet = senders("places");
  const quotas = [quota(0, { kind: "places", windowMs: 0, limit: 10, held: 1 })];
  for (const each of fleet) await each.send({ quotas });
  await sleep(GRACE_MS);
  const wants = [{ needs: [[0, 1] as const], count: 20 }];
  await measure("16 processes in the queue, 10 places", async () => {
    for (const each of fleet) await each.send({ quotas, wants });
  });
}

await measure(
  "rebuild: 510 amounts of one window",
  async () => {
    const group = `rebuild-${Math.random()}`;
    await new Sender(group, 0).send({ quotas: [quota(0, { used: FULL })] });
  },
  ROUNDS,
);
{
  const groups = Array.from({ length: ROUNDS }, (_, i) => `dead-${i}`);
  for (const group of groups) {
    for (const each of senders(group))
      await each.send({ ttlMs: 1, quotas: [quota(0, { held: 3 }), quota(1, { held: 5 })] });
  }
  await sleep(1_100);
  let next = 0;
  await measure(
    "16 dead processes",
    () => new Sender(groups[next++]!, 99).send({ quotas: [quota(0), quota(1)] }),
    ROUNDS,
  );
}
{
  const groups = Array.from({ length: ROUNDS }, (_, i) => `drop-${i}`);
  const short = { windowMs: 2_000, limit: 510 };
  const used = Array.from({ length: 510 }, (_, i) => [Math.floor(i * 3.9), 1] as const);
  for (const group of groups) await fill(new Sender(group, 0), 1, short, used);
  await sleep(900);
  let next = 0;
  await measure(
    "half a window of buckets is dropped",
    () => new Sender(groups[next++]!, 1).send({ quotas: [quota(0, short)] }),
    ROUNDS,
  );
}

console.log(`Time of ${name} per exchange in us (budget ${BUDGET_US}):`);
console.table(rows);
client.close();
await server.stop();
if (isTooSlow) {
  console.error(`failed: a median is above ${BUDGET_US} us`);
  process.exitCode = 1;
}
