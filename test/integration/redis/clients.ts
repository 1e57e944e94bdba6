// The store on real clients of Redis, on one server and on a cluster of three. `npm run test:redis` in the root.
import { execFileSync } from "node:child_process";
import { type RedisClient, RedisStore } from "../../../src/redis/index.ts";
import { CheckProcess, calls, windowQuota } from "../../../src/store/check-process.ts";
import { storeChecks } from "../../../src/store/store-checks.ts";
import { RawClient } from "../../support/redis/raw-client.ts";
import { freePort, type RedisServer, serverProgram, startServer } from "../../support/redis/redis-server.ts";
import { startRestEndpoint } from "./rest-endpoint.ts";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed in this folder alone, so their types are not known.
type Package = any;
const load = (name: string): Promise<Package> => import(name);
const failures: string[] = [];

const programs = ["redis-server", "valkey-server"].flatMap((name) => serverProgram(name) ?? []);
if (programs.length === 0) {
  console.error("SKIPPED: neither redis-server nor valkey-server is installed, so no client was tested");
  process.exit(0);
}
const [{ Redis, Cluster }, valkey, nodeRedis, upstash] = await Promise.all(
  ["ioredis", "iovalkey", "redis", "@upstash/redis"].map(load),
);

async function passes(title: string, client: RedisClient): Promise<void> {
  const store = new RedisStore(client);
  const passMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const checks = storeChecks(() => ({ store, now: () => performance.now(), passMs }));
  const results = await Promise.allSettled(checks.map(({ run }) => run()));
  let failed = 0;
  for (const [i, result] of results.entries()) {
    if (result.status === "fulfilled") continue;
    failed++;
    failures.push(`${title}: ${checks[i]!.name}: ${String(result.reason).slice(0, 200)}`);
  }
  console.log(`${title}: ${checks.length - failed} of ${checks.length} checks passed`);
}

async function expectStatus(title: string, act: () => Promise<{ status: string }>, expected: string): Promise<void> {
  const { status } = await act();
  console.log(`${title}: ${status}`);
  if (status !== expected) failures.push(`${title}: expected ${expected}, got ${status}`);
}

/** A server that loses parts of its state. */
async function losses(raw: RawClient): Promise<void> {
  const store = new RedisStore((command) => raw.send(command));
  for (const [title, command, expected] of [
    ["the scripts are flushed", ["SCRIPT", "FLUSH"], "ok"],
    ["everything is flushed", ["FLUSHALL"], "rebuild"],
    ["the log of a quota is evicted", ["DEL", "grate:{losses}:usage:window"], "rebuild"],
    ["the deaths are evicted", ["DEL", "grate:{losses}:deaths"], "rebuild"],
    ["the state is evicted", ["DEL", "grate:{losses}:state"], "rebuild"],
    ["the queue is evicted", ["DEL", "grate:{losses}:queue"], "ok"],
  ] as const) {
    await raw.send(["FLUSHALL"]);
    const one = new CheckProcess(store, "losses", "one");
    await one.send({ quotas: [windowQuota({ used: [[0, 10]] })], wants: calls(1, 1) });
    await raw.send(command);
    await expectStatus(title, () => one.send({ quotas: [windowQuota()], wants: calls(1, 1) }), expected);
  }
  for (const key of (await raw.send(["KEYS", "*"])) as string[]) {
    const ttl = (await raw.send(["PTTL", key])) as number;
    if (ttl < 86_400_000) failures.push(`the key ${key} expires after ${ttl} ms`);
  }
}

async function oneServer(program: string): Promise<void> {
  const server = await startServer(program);
  const raw = new RawClient(server.port);
  const rest = await startRestEndpoint(server.port);
  const clients = {
    ioredis: new Redis(server.port, "127.0.0.1"),
    iovalkey: new valkey.default(server.port, "127.0.0.1"),
    "node-redis": nodeRedis.createClient({ url: `redis://127.0.0.1:${server.port}` }),
    "node-redis, RESP 3": nodeRedis.createClient({ url: `redis://127.0.0.1:${server.port}`, RESP: 3 }),
    "@upstash/redis": new upstash.Redis({ url: rest.url, token: "test" }),
    "a function": (command: string[]) => raw.send(command),
    "Bun's method": { send: (command: string, args: string[]) => raw.send([command, ...args]) },
    "an ioredis with a prefix of its own": new Redis(server.port, "127.0.0.1", {
      keyPrefix: "app:",
      stringNumbers: true,
    }),
  };
  await Promise.all([clients["node-redis"].connect(), clients["node-redis, RESP 3"].connect()]);
  for (const [name, client] of Object.entries(clients)) await passes(`${name} on ${program}`, client as RedisClient);
  await losses(raw);
  for (const client of [clients.ioredis, clients.iovalkey, clients["an ioredis with a prefix of its own"]])
    client.disconnect();
  for (const client of [clients["node-redis"], clients["node-redis, RESP 3"]]) client.destroy();
  rest.stop();
  raw.close();
  await server.stop();
}

async function cluster(program: string): Promise<void> {
  const cli = serverProgram("redis-cli") ?? serverProgram("valkey-cli");
  if (cli === null) {
    console.error("SKIPPED: redis-cli is not installed, so no cluster was tested");
    return;
  }
  const servers: RedisServer[] = [];
  for (let i = 0; i < 3; i++) {
    servers.push(
      await startServer(program, ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"], await freePort()),
    );
  }
  const nodes = servers.map(({ port }) => ({ host: "127.0.0.1", port }));
  const create = ["--cluster", "create", ...nodes.map(({ port }) => `127.0.0.1:${port}`), "--cluster-yes"];
  execFileSync(cli, create, { stdio: "ignore" });
  const raws = servers.map(({ port }) => new RawClient(port));
  for (let attempt = 0; attempt < 100; attempt++) {
    const infos = await Promise.all(raws.map((raw) => raw.send(["CLUSTER", "INFO"])));
    if (infos.every((info) => String(info).includes("cluster_state:ok"))) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const io = new Cluster(nodes);
  const node = nodeRedis.createCluster({ rootNodes: nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })) });
  await node.connect();
  await passes("ioredis on a cluster", io as RedisClient);
  await passes("node-redis on a cluster", node as RedisClient);
  let used = 0;
  const slots = new Map<string, Set<unknown>>();
  for (const raw of raws) {
    const keys = (await raw.send(["KEYS", "*"])) as string[];
    if (keys.length > 0) used++;
    for (const key of keys) {
      const group = /\{(.*?)\}/.exec(key)![1]!;
      const slot = await raw.send(["CLUSTER", "KEYSLOT", key]);
      slots.set(group, (slots.get(group) ?? new Set()).add(slot));
    }
  }
  const split = [...slots.values()].filter(({ size }) => size !== 1).length;
  console.log(`cluster: ${slots.size} groups on ${used} of 3 masters, ${split} of them in more than one slot`);
  if (split > 0 || used < 3) failures.push("the groups of the cluster are not spread over one slot each");
  io.disconnect();
  node.destroy();
  for (const raw of raws) raw.close();
  await Promise.all(servers.map((server) => server.stop()));
}

for (const program of programs) await oneServer(program);
await cluster(programs[0]!);
if (failures.length > 0) {
  console.error(failures.join("\n"));
  process.exitCode = 1;
} else console.log("all clients passed");
