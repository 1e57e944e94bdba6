import type { Listed } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { NOT_TOLD } from "../quota/amounts.ts";
import type { RefusalReason } from "./refusal.ts";
import type { Request } from "./request.ts";

/** A waiting time in whole ms, rounded up, so that after it there is room; Infinity stays. */
export function wholeWaitMs(waitMs: number): number {
  return Math.ceil(waitMs);
}

/** Why a listed provider that is not eligible is not; for one that is only out of room, which quota says so. */
export function reasonAgainst(entry: Listed, request: Request, minimumHealth: number, now: number): RefusalReason {
  const { name, provider } = entry;
  if (provider === null) return { provider: name, reason: "not_registered", retryAfterMs: null };
  if (request.excludes(name)) return { provider: name, reason: "excluded", retryAfterMs: null };
  const state = provider.state(now, minimumHealth);
  switch (state) {
    case "dead":
    case "paused":
      return { provider: name, reason: state, retryAfterMs: null };
    case "cooldown":
      return { provider: name, reason: state, retryAfterMs: wholeWaitMs(provider.cooldownMs(now)) };
    case "unhealthy":
      return { provider: name, reason: state, retryAfterMs: knownMs(provider.health.healsInMs(minimumHealth, now)) };
    default:
      return tooLarge(provider, request, now);
  }
}

function tooLarge(provider: Provider, request: Request, now: number): RefusalReason {
  const needs = request.needs(provider.settings.price);
  for (const quota of provider.quotas) {
    const { spec, tracker, pool } = quota;
    const told = needs[spec.index]!;
    const needed = told === NOT_TOLD ? 1 : told;
    if (needed <= tracker.capacity) continue;
    const { dimension, window } = spec;
    const remaining = quota.remaining(now);
    return {
      ...{ provider: provider.name, reason: "too_large", dimension, window, pool },
      ...{ limit: tracker.capacity, remaining, needed, retryAfterMs: null },
    };
  }
  throw new Error(`no reason against ${provider.name}`);
}

function knownMs(waitMs: number): number | null {
  return Number.isFinite(waitMs) ? wholeWaitMs(waitMs) : null;
}
