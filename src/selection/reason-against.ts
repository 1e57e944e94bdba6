import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Listed } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { type Amounts, needOf } from "../quota/amounts.ts";
import type { RefusalReason } from "./refusal.ts";
import type { Request } from "./request.ts";

/** Why a listed provider that is not eligible is not; what time alone cannot mend comes before what it can. */
export function reasonAgainst(
  entry: Listed,
  request: Request,
  profile: Profile,
  minimumHealth: number,
  now: number,
): RefusalReason {
  const { name, provider } = entry;
  if (provider === null) return { provider: name, reason: "not_registered", retryAfterMs: null };
  if (request.excludes(name)) return { provider: name, reason: "excluded", retryAfterMs: null };
  const state = provider.state(now, minimumHealth);
  if (state === "dead" || state === "paused") return { provider: name, reason: state, retryAfterMs: null };
  const needs = request.needs(provider.settings.price);
  if (profile.waitMs(provider.quotas, needs, now) === TOO_LARGE) return tooLarge(provider, needs, now);
  const isCooling = state === "cooldown";
  const waitMs = Math.ceil(isCooling ? provider.cooldownMs(now) : provider.health.healsInMs(minimumHealth, now));
  const retryAfterMs = Number.isFinite(waitMs) ? waitMs : null;
  return { provider: name, reason: isCooling ? "cooldown" : "unhealthy", retryAfterMs };
}

function tooLarge(provider: Provider, needs: Amounts, now: number): RefusalReason {
  const quota = provider.quotas.find(({ spec, tracker }) => needOf(needs, spec.index) > tracker.capacity)!;
  const { spec, tracker, pool } = quota;
  return {
    provider: provider.name,
    reason: "too_large",
    dimension: spec.dimension,
    window: spec.window,
    pool,
    limit: tracker.capacity,
    remaining: quota.remaining(now),
    needed: needOf(needs, spec.index),
    retryAfterMs: null,
  };
}
