import { performance } from "node:perf_hooks";
import { classifyHttp } from "../src/http/index.ts";
import { GrateLimiter, NoAvailableProviders, type QuotaConfig } from "../src/index.ts";
import type { Client } from "./replay.ts";
import { COOLDOWN, type EnforcedLimit, SERVER_NAMES, SERVERS } from "./scenario.ts";
import { send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";

/** A client that calls `run` for every request as soon as it arrives, however many are in flight. `watch` gets its limiter. */
export function clientWithGrateLimiter(urls: UrlByServer, watch?: (limiter: GrateLimiter) => void): Client {
  const limiter = new GrateLimiter({
    providers: SERVER_NAMES.map((name) => ({ name, quotas: SERVERS[name].map(declared) })),
    capabilities: { chat: SERVER_NAMES },
    defaultCooldownSeconds: COOLDOWN.seconds,
    health: { cooldownTriggerCount: COOLDOWN.failures },
    // A pause of the machine for more than a second between sending and counting causes no 429 either.
    skewCapMs: Number.POSITIVE_INFINITY,
    // Reads the limits in the headers of the responses.
    defaults: { classify: classifyHttp },
  });

  watch?.(limiter as GrateLimiter);

  return async ({ id, tokens }, deadline) => {
    const maxWaitMs = Math.max(0, deadline - performance.now());
    try {
      await limiter.run("chat", ({ provider }) => send(urls[provider], { id, tokens }), { tokens, maxWaitMs });
      return true;
    } catch (error) {
      if (!NoAvailableProviders.is(error)) throw error;
      return false;
    }
  };
}

/**
 * The true limit, as the documentation of a server would state it. The default strategy is safe for every way of counting,
 * so neither the algorithm nor the phase of a fixed window is declared.
 */
function declared({ dimension, limit, windowMs }: EnforcedLimit): QuotaConfig {
  return { dimension, limit, window: { seconds: windowMs / 1_000 } };
}
