// The program of the server process: four HTTP servers on loopback, each with its own limits. A separate process keeps a
// busy client from slowing the servers down, and the other way round.
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Gate } from "./limit-enforcer.ts";
import { seededRandom } from "./random.ts";
import { INCIDENT, SERVER_NAMES, SERVERS, SERVICE, type ServerName } from "./scenario.ts";
import type { Counts, Order, Report, UrlByServer } from "./server-messages.ts";

let startedAt = performance.now();
let gates = newGates(0);
let counts = newCounts();
let hasHeaders = true;

function newGates(seed: number): Record<ServerName, Gate> {
  const random = seededRandom(seed);
  return perServer((name) => new Gate(SERVERS[name], random, startedAt));
}

function newCounts(): Record<ServerName, Counts> {
  return perServer(() => ({ served: 0, refused: 0, failed: 0 }));
}

function perServer<T>(make: (name: ServerName) => T): Record<ServerName, T> {
  return Object.fromEntries(SERVER_NAMES.map((name) => [name, make(name)])) as Record<ServerName, T>;
}

async function answer(name: ServerName, url: URL, response: ServerResponse): Promise<void> {
  // A request is accepted or refused when it arrives, however long the answer takes.
  const now = performance.now();
  const mine = counts[name];
  const gate = gates[name];
  const waitMs = gate.admit(Number(url.searchParams.get("tokens")), now);
  const limits = hasHeaders ? gate.headers(now) : {};
  if (waitMs > 0) {
    mine.refused++;
    await sleep(SERVICE.refusalMs);
    // In whole seconds as HTTP has it, and exactly, as LLM APIs do.
    const whole = Math.ceil(waitMs);
    response.writeHead(429, { ...limits, "retry-after": `${Math.ceil(whole / 1_000)}`, "retry-after-ms": whole }).end();
    return;
  }
  const runMs = now - startedAt;
  if (name === INCIDENT.server && runMs >= INCIDENT.fromMs && runMs < INCIDENT.toMs) {
    mine.failed++;
    await sleep(SERVICE.failureMs);
    response.writeHead(500, limits).end();
    return;
  }
  mine.served++;
  const jitter = seededRandom(Number(url.searchParams.get("id")))();
  await sleep(SERVICE.answerMs + jitter * SERVICE.jitterMs);
  response.writeHead(200, limits).end();
}

async function listen(name: ServerName): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(name, new URL(request.url ?? "/", "http://loopback"), response);
  });
  // Longer than any pause of the demo, because a connection that closes while a request is being sent fails that request.
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function report(message: Report): void {
  process.send?.(message);
}

function obey(order: Order): void {
  if (order.kind === "start") {
    startedAt = performance.now();
    gates = newGates(order.seed);
    hasHeaders = order.hasHeaders;
    counts = newCounts();
  }
  report({ kind: "counted", counts });
}

// Ctrl-C reaches the whole group of processes; these servers end when their parent does.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
process.on("message", (order) => obey(order as Order));

const servers = await Promise.all(SERVER_NAMES.map(listen));
const ports = servers.map((server) => (server.address() as AddressInfo).port);
const urls = SERVER_NAMES.map((name, place) => [name, `http://127.0.0.1:${ports[place]}/chat`] as const);
report({ kind: "listening", urls: Object.fromEntries(urls) as UrlByServer });
