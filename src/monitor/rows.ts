// Rows of a message, from the answers of the limiter. All of them are of bounded size, whatever callers name things.
import type { Inspection, ProviderInspection, QuotaForecast, RefusalReason } from "grate-limiter";
import type { ProviderRow, QueueRow, QuotaRow, ReasonRow, Reasons } from "./message.ts";

const CHARACTERS_SHOWN = 120;
const REASONS_SHOWN = 3;
/** Quotas shown of one provider. */
const QUOTAS_SHOWN = 20;

/** Text of bounded length, without a half of a character at its end. */
export function shortText(text: string): string {
  if (text.length <= CHARACTERS_SHOWN) return text;
  return `${text.slice(0, CHARACTERS_SHOWN).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Short text, or null. */
export function shortName(name: string | null): string | null {
  return name === null ? null : shortText(name);
}

/** Row of a provider. Numbers are rounded, so that a provider at rest does not change. */
export function providerRow(provider: ProviderInspection): ProviderRow {
  const { name, state, health, latencyMs, cooldownMs, inFlight, abandonedTasks, quotas } = provider;
  return {
    name: shortText(name),
    state,
    health: Math.round(health * 1_000) / 1_000,
    latencyMs: latencyMs === null ? null : Math.round(latencyMs),
    cooldownMs: Math.ceil(cooldownMs),
    inFlight,
    abandonedTasks,
    quotas: quotas.slice(0, QUOTAS_SHOWN).map(quotaRow),
  };
}

function quotaRow(quota: QuotaForecast): QuotaRow {
  const { dimension, window, pool, ceiling, ceilingSource, used, inFlight, remaining, exhaustedInMs } = quota;
  return {
    dimension,
    window,
    pool: shortName(pool),
    limit: ceiling,
    isReported: ceilingSource === "header",
    used: Math.round(used),
    reserved: Math.round(inFlight),
    remaining,
    exhaustedInMs: exhaustedInMs === null ? null : Math.round(exhaustedInMs),
  };
}

/** Rows of the wait queue. */
export function queueRows({ queue }: Inspection): readonly QueueRow[] {
  return queue.groups.map(({ capability, key, waiting, oldestMs, waitsFor }) => ({
    capability: shortText(capability),
    key: shortName(key),
    waiting,
    oldestMs: Math.round(oldestMs),
    waitsFor: reasonsOf(waitsFor),
  }));
}

/** The first reasons, and the number of the others. */
export function reasonsOf(reasons: readonly RefusalReason[]): Reasons {
  return { first: reasons.slice(0, REASONS_SHOWN).map(reasonRow), others: Math.max(0, reasons.length - REASONS_SHOWN) };
}

function reasonRow(reason: RefusalReason): ReasonRow {
  const row = { provider: shortText(reason.provider), reason: reason.reason, retryAfterMs: reason.retryAfterMs };
  if (!("needed" in reason)) {
    return reason.statedWaitMs === undefined ? row : { ...row, statedWaitMs: reason.statedWaitMs };
  }
  const { dimension, window, pool, limit, remaining, needed, heldForMs } = reason;
  const needs = { dimension, window, pool: shortName(pool), limit, remaining, needed };
  return heldForMs === undefined ? { ...row, needs } : { ...row, needs, heldForMs };
}
