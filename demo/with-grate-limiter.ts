import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { GrateLimiter, NoAvailableProviders, type QuotaConfig } from "../src/index.ts";
import type { Client } from "./replay.ts";
import { COOLDOWN, type EnforcedLimit, SERVER_NAMES, SERVERS, type ServerName } from "./scenario.ts";
import { type Reply, send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";
import type { Arrival } from "./workload.ts";

/** By how much windows are declared longer than the servers', for the jitter between sending a request and its arrival. */
export const NETWORK_JITTER_MS = 100;

/** Longest pause before asking again: a server that is cooling down may be back before there is room elsewhere. */
const LONGEST_PAUSE_MS = 250;

type ChatLimiter = GrateLimiter<ServerName, { chat: ServerName }>;

/** A client that asks grate-limiter which server to use, as a program would with `select` and `observe`. */
export function clientWithGrateLimiter(urls: UrlByServer): Client {
  const limiter: ChatLimiter = new GrateLimiter({
    providers: SERVER_NAMES.map((name) => ({ name, quotas: SERVERS[name].map(declared) })),
    capabilities: { chat: SERVER_NAMES },
    defaultCooldownSeconds: COOLDOWN.seconds,
    health: { cooldownTriggerCount: COOLDOWN.failures },
  });

  return async (request, deadline) => {
    // Servers that failed this very request.
    let exclude: ServerName[] = [];
    for (;;) {
      const { server, waitMs } = choose(limiter, request, exclude);
      if (server !== null) {
        const reply = await sendCounted(limiter, server, urls[server], request);
        if (reply.status === 200) return true;
        exclude.push(server);
        continue;
      }
      const left = deadline - performance.now();
      if (left <= 0) return false;
      await sleep(Math.min(waitMs, LONGEST_PAUSE_MS, left));
      exclude = [];
    }
  };
}

/**
 * One limit, as a program declares it that has read the server's documentation. The default strategy is safe whatever
 * the server does, so nothing is said of a fixed window's phase, nor whether it is one.
 */
function declared({ algorithm, dimension, limit, windowMs }: EnforcedLimit): QuotaConfig {
  // A request sent exactly one window after another may arrive a little sooner than that. Leases will see to it themselves.
  const quota = { dimension, limit, window: { seconds: (windowMs + NETWORK_JITTER_MS) / 1_000 } };
  // A bucket allows more than a window does, if one says that it is one. What may be late is kept in hand.
  return algorithm === "token bucket" ? { ...quota, strategy: "token_bucket", burst: 0.9 * limit } : quota;
}

/** The server to use now, or null and in how many ms it is worth asking again. */
interface Choice {
  readonly server: ServerName | null;
  readonly waitMs: number;
}

/** What `select` says to a request. */
function choose(limiter: ChatLimiter, { tokens }: Arrival, exclude: readonly ServerName[]): Choice {
  try {
    const { provider, waitMs } = limiter.select("chat", { tokens, exclude });
    return { server: waitMs === 0 ? provider : null, waitMs: waitMs ?? LONGEST_PAUSE_MS };
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    return { server: null, waitMs: error.retryAfterMs ?? LONGEST_PAUSE_MS };
  }
}

/**
 * Sends a request and keeps the limiter's books, which `run()` of the next version will do.
 *
 * `select` reserves nothing, and a request that is observed only when it ends does not count while it is under way: a
 * whole burst would go to the same server. So its amounts are observed when it is sent ("cancelled" counts them and
 * teaches nothing) and its outcome when it ends, with amounts of 0. No `await` may come between `select` and the former.
 * A request whose answer was slow may have arrived later than the declared windows allow for, so it counts once more.
 */
async function sendCounted(limiter: ChatLimiter, provider: ServerName, url: string, request: Arrival): Promise<Reply> {
  const amounts = { requests: 1, tokens: request.tokens };
  limiter.observe({ provider, usage: amounts, outcome: { status: "cancelled" } });
  const sentAt = performance.now();
  const reply = await send(url, request);
  const latencyMs = performance.now() - sentAt;
  const usage = latencyMs <= NETWORK_JITTER_MS ? { requests: 0, tokens: 0 } : amounts;
  limiter.observe({ provider, usage, outcome: { ...reply, latencyMs } });
  return reply;
}
