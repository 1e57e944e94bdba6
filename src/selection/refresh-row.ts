import type { Events } from "../events.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";

/** Parts of a limiter that are needed to read a row. */
export interface RowContext {
  readonly profile: Profile;
  readonly minimumHealth: number;
  readonly events: Events;
}

/** Reads the facts of a provider into its row, and the instant until which they are valid. Emits `cooldownEnded`. */
export function refreshRow(provider: Provider, context: RowContext, now: number): void {
  const { row, health, settings } = provider;
  const { profile, minimumHealth, events } = context;
  if (now >= provider.cooldownEndDueAt) provider.emitEndedCooldown(events, now);
  const hasChanged = row.validUntil === -Infinity;
  const state = provider.state(now, minimumHealth);
  row.revision++;
  if (hasChanged) row.changes++;
  row.isEligible = state === "available" || state === "ramping" || state === "trial";
  row.isOpenForProbe = state === "cooldown" && provider.isOpenForTrial(state, true, now);
  row.latencyMs = health.latencyMs ?? 0;
  // `+ 0` turns -0 into 0, because JSON has no -0.
  row.priority = settings.priority + 0;
  row.weight = settings.weight;
  let validUntil = Math.min(health.unchangedUntil(now), provider.cooldownEndDueAt);
  if (now < settings.pausedUntil) validUntil = Math.min(validUntil, settings.pausedUntil);
  if (row.isEligible || row.isOpenForProbe) {
    // A trial is scored as healthy, because the cooldown before it was the penalty already.
    row.healthScore = state === "trial" || row.isOpenForProbe ? 1 : health.score(now);
    if (hasChanged || now >= row.quotasValidUntil) {
      row.quotasValidUntil = profile.readQuotas(provider.quotas, row, now);
    }
    validUntil = Math.min(validUntil, row.quotasValidUntil);
  } else row.quotasValidUntil = -Infinity;
  // Facts that change at every instant are valid at this one.
  row.validUntil = validUntil === -Infinity ? now : validUntil;
}
