import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import Bottleneck from "bottleneck";
import PQueue from "p-queue";
import type { Client } from "./replay.ts";
import { COOLDOWN, type EnforcedLimit, SERVER_NAMES, SERVERS, type ServerName } from "./scenario.ts";
import { type Reply, send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";
import type { Arrival } from "./workload.ts";

/** Queue of one server. */
interface Queue {
  /** Number of jobs that wait. */
  waiting(): number;
  /** Runs a job when the limits of the server allow it. */
  run<T>(request: Arrival, job: () => Promise<T>): Promise<T>;
}

/**
 * Bottleneck with a reservoir for each limit, as its documentation shows: filled again at each end of the window, and counted
 * by weight for tokens.
 */
export function clientWithBottleneck(urls: UrlByServer): Client {
  return clientWithQueues(urls, (server) => {
    const limiters = SERVERS[server].map(({ dimension, limit, windowMs }: EnforcedLimit) => {
      const refresh = { reservoirRefreshAmount: limit, reservoirRefreshInterval: windowMs };
      return { limiter: new Bottleneck({ reservoir: limit, ...refresh }), isWeighted: dimension === "tokens" };
    });
    return {
      waiting: () => limiters.reduce((sum, { limiter }) => sum + limiter.counts().QUEUED, 0),
      run(request, job) {
        const all = limiters.reduceRight((next, { limiter, isWeighted }) => {
          return () => limiter.schedule({ weight: isWeighted ? request.tokens : 1 }, next);
        }, job);
        return all();
      },
    };
  });
}

/**
 * p-queue with `intervalCap` and `interval`, and `strict`, so that the interval slides. It counts jobs only, so a limit of tokens
 * has no place in it.
 */
export function clientWithPQueue(urls: UrlByServer): Client {
  return clientWithQueues(urls, (server) => {
    const limit = SERVERS[server].find(({ dimension }: EnforcedLimit) => dimension === "requests")!;
    const queue = new PQueue({ intervalCap: limit.limit, interval: limit.windowMs, strict: true });
    return { waiting: () => queue.size, run: (_, job) => queue.add(job) };
  });
}

/**
 * A queue for each server. Neither package chooses a server, so a request goes to the shortest queue, in turn among equals.
 * After a 429 it waits for its Retry-After, as the retry handlers of both packages do. After a 500 it tries another server
 * immediately, and repeated failures start a cooldown, as for the other clients.
 */
function clientWithQueues(urls: UrlByServer, queueOf: (server: ServerName) => Queue): Client {
  const servers = SERVER_NAMES.map((name) => ({ url: urls[name], queue: queueOf(name), failures: 0, coolUntil: 0 }));
  let turn = 0;
  return async (request, deadline) => {
    for (;;) {
      const now = performance.now();
      const inTurn = servers.map((_, place) => servers[(turn + place) % servers.length]!);
      const usable = inTurn.filter(({ coolUntil }) => coolUntil <= now);
      turn++;
      const server = (usable.length > 0 ? usable : inTurn).reduce((best, each) => {
        return each.queue.waiting() < best.queue.waiting() ? each : best;
      });
      const reply = await server.queue.run(request, async (): Promise<Reply | null> => {
        return performance.now() > deadline ? null : send(server.url, request);
      });
      if (reply?.status === 200) {
        server.failures = 0;
        return true;
      }
      const left = deadline - performance.now();
      if (reply === null || left <= 0) return false;
      if (reply.status === 429) await sleep(Math.min(left, Number(reply.headers["retry-after-ms"])));
      else if (++server.failures >= COOLDOWN.failures) server.coolUntil = performance.now() + COOLDOWN.seconds * 1_000;
    }
  };
}
