import { TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { Ranking } from "../selection/ranking.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { Claims, ClaimTarget } from "./claims.ts";
import type { Waiter } from "./waiter.ts";

/** When a waiter that cannot be served now might be served. */
interface Prospect {
  /** The first known instant at which there is capacity for it. Infinity: none is known. */
  readonly soonestAt: number;
  /** When to evaluate it again even if there is no capacity. Infinity: never. */
  readonly evaluateAt: number;
  /** The providers that it might go to. */
  readonly targets: readonly ClaimTarget[];
  /** True if it is too large for one of the providers. */
  readonly isTooLarge: boolean;
  /** Its demands at the providers from which the limits of its key keep it. */
  readonly heldDemands: readonly Demand[];
  /** When the limits of its key might have capacity for one of those. Infinity: not by time. */
  readonly heldUntil: number;
  /** True if reservations take capacity that it needs, and will be committed or released. */
  readonly isReserved: boolean;
}

/** Returns the prospect of a waiter behind all claims. `nextDueAt`: when the next reservation or lease ends by itself. */
export function prospectOf(
  waiter: Waiter,
  capability: Capability,
  ranking: Ranking,
  { registry, keyLimits, profile, minimumHealth }: SelectionContext,
  claims: Claims,
  nextDueAt: number,
  now: number,
): Prospect {
  const { request, priority } = waiter;
  let soonestAt = Infinity;
  let isTooLarge = false;
  let isReserved = false;
  let evaluateAt = Infinity;
  const heldDemands: Demand[] = [];
  let heldUntil = Infinity;
  const targets: ClaimTarget[] = [];
  const keyQuotas = keyLimits?.of(request.fairnessKey, capability.name, now) ?? null;
  const keyFitsAt = (needs: Demand) => {
    if (keyQuotas === null || keyQuotas.isOpenFor(needs, waiter, now)) return now;
    const fitsAt = profile.earliestFit(keyQuotas.quotas, needs, now);
    // A waiter ahead needs what fits: only its departure helps.
    return fitsAt > now ? fitsAt : Infinity;
  };
  for (const { tracker } of keyQuotas?.quotas ?? []) {
    heldUntil = Math.min(heldUntil, now + (tracker.resets?.(now).reviewMs ?? Infinity));
  }
  for (let rank = 0; rank < ranking.size; rank++) {
    const provider = ranking.provider(rank);
    const needs = ranking.demand(rank);
    const state = provider.state(now, minimumHealth);
    const gateMs = provider.recoveryDelayMs(state, now);
    const keyAt = keyFitsAt(needs);
    const isRoom = ranking.waitMs(rank) === 0;
    const fitsAt = isRoom ? now : profile.earliestFit(provider.quotas, needs, now);
    const openAt = claims.opensAt(provider, needs, priority, now);
    if (openAt !== null) {
      const opensAt = Math.max(now + gateMs, openAt, keyAt);
      // Otherwise a reservation that ends by itself can be waited for, or the outcome of a trial.
      soonestAt = Math.min(soonestAt, opensAt < Infinity || keyAt === Infinity ? opensAt : nextDueAt);
    }
    if (gateMs === Infinity) evaluateAt = Math.min(evaluateAt, provider.gateOpensAt(state, now));
    isReserved ||= fitsAt > now && provider.quotas.some((quota) => !quota.isHeldToEnd && quota.reserved > 0);
    // A call that its key holds back takes nothing from other keys.
    if (keyAt > now) {
      heldDemands.push(needs);
      heldUntil = Math.min(heldUntil, keyAt);
      isReserved ||= keyQuotas!.quotas.some((quota) => !quota.isHeldToEnd && quota.reserved > 0);
    } else targets.push({ provider, needs, isGated: isRoom && gateMs > 0 });
  }
  for (const entry of registry.listed(capability)) {
    const { name, provider } = entry;
    if (provider === null || request.excludes(name)) continue;
    for (const { tracker } of provider.quotas) {
      evaluateAt = Math.min(evaluateAt, now + (tracker.resets?.(now).reviewMs ?? Infinity));
    }
    const needs = request.demandOn(capability, entry, true);
    if (profile.waitMs(provider.quotas, needs, now, false) === TOO_LARGE) {
      isTooLarge = true;
      continue;
    }
    const state = provider.state(now, minimumHealth);
    if (state === "paused") {
      soonestAt = Math.min(soonestAt, provider.settings.pausedUntil);
      continue;
    }
    // The key of a dead provider is checked again then.
    if (state === "dead") evaluateAt = Math.min(evaluateAt, provider.health.unchangedUntil(now));
    if (state !== "cooldown" && state !== "unhealthy") continue;
    // Ranked above.
    if (provider.isOpenForTrial(state, ranking.isProbing, now)) continue;
    const { health } = provider;
    const opensAt =
      state === "cooldown" ? health.opensAt(ranking.isProbing) : now + health.healsInMs(minimumHealth, now);
    const fitsAt = Math.max(profile.earliestFit(provider.quotas, needs, now), keyFitsAt(needs));
    soonestAt = Math.min(soonestAt, fitsAt < Infinity ? Math.max(opensAt, fitsAt) : opensAt);
    // From then on it claims its demand there.
    evaluateAt = Math.min(evaluateAt, opensAt);
  }
  return { soonestAt, evaluateAt, targets, isTooLarge, isReserved, heldDemands, heldUntil };
}
