import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "./replay.ts";
import { COOLDOWN, SERVER_NAMES } from "./scenario.ts";
import { type Reply, send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";

/** The shortest wait when every server has refused, and the largest random addition, which keeps requests apart. */
const BACKOFF = { leastMs: 50, jitterMs: 100 } as const;

/**
 * The rival is a careful hand-written client: round-robin over the servers. After a 429 it tries the next server
 * immediately, and Retry-After is a cooldown of that server for all requests. After a 5xx it tries the next server, too, and
 * repeated failures start a cooldown. When no server is left, a request waits for the first cooldown to end.
 *
 * These variants were worse at 85 % of the limits: no cooldown after a 5xx, or a shorter or longer one (more 5xx, or
 * slower); Retry-After in whole seconds (fewer 429s, but several times slower, and some requests were lost); no jitter (twice
 * the 429s, hardly faster).
 */
export function clientWithRoundRobin(urls: UrlByServer): Client {
  const servers = SERVER_NAMES.map((name) => new RotatedServer(urls[name]));
  let turn = 0;

  return async (request, deadline) => {
    for (;;) {
      const first = turn++;
      for (let step = 0; step < servers.length; step++) {
        const server = servers[(first + step) % servers.length]!;
        if (server.isCoolingDown) continue;
        const reply = await send(server.url, request);
        server.learn(reply);
        if (reply.status === 200) return true;
      }
      const now = performance.now();
      const left = deadline - now;
      if (left <= 0) return false;
      const waitMs = Math.min(...servers.map(({ coolUntil }) => coolUntil)) - now;
      await sleep(Math.min(left, Math.max(waitMs, BACKOFF.leastMs) + BACKOFF.jitterMs * Math.random()));
    }
  };
}

/** The state that the rival keeps of one server. */
class RotatedServer {
  readonly url: string;
  coolUntil = 0;
  #failuresInRow = 0;

  constructor(url: string) {
    this.url = url;
  }

  get isCoolingDown(): boolean {
    return performance.now() < this.coolUntil;
  }

  learn({ status, headers }: Reply): void {
    if (status === 200) {
      this.#failuresInRow = 0;
    } else if (status === 429) {
      // The exact time, not the one in whole seconds.
      this.#coolFor(Number(headers["retry-after-ms"]));
    } else if (++this.#failuresInRow >= COOLDOWN.failures) {
      this.#coolFor(COOLDOWN.seconds * 1_000);
    }
  }

  /** The later end wins. */
  #coolFor(ms: number): void {
    this.coolUntil = Math.max(this.coolUntil, performance.now() + ms);
  }
}
