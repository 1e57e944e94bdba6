// A dollar quota counts only requests that have a cost: by the provider's price, or stated by the caller. A provider
// without a price therefore needs the cost of every request, else the quota would never be enforced.

import { InvalidConfig } from "../errors.ts";
import { dollarsText, periodText, valueText } from "../message-text.ts";
import type { ObservationReader } from "../observation/observation-reader.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { COST_USD, REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { UNSPECIFIED } from "../quota/usage-vector.ts";
import type { RequestSpec } from "./request-spec.ts";
import type { SelectionContext } from "./selection-context.ts";

/** Throws InvalidConfig if the request states no cost and could go to a provider that needs it. */
export function requireCost(
  capability: Capability,
  request: RequestSpec,
  { registry, keyLimits }: SelectionContext,
  now: number,
): void {
  const quotas = keyLimits?.of(request.fairnessKey, capability.name, now)?.quotas;
  const keyQuota = quotas?.find(({ index }) => index === COST_USD);
  if ((registry.unpricedProviders.size === 0 && keyQuota === undefined) || request.statesCost) return;
  for (const { name, provider } of registry.listed(capability)) {
    const quota = provider?.unpricedQuota ?? (provider?.settings.price === null ? keyQuota : undefined);
    if (quota && !request.excludes(name)) throw missingCost(name, quota, "costMicroUsd");
  }
}

/**
 * Throws InvalidConfig if a success was observed without the cost that its provider needs. Other outcomes often have no
 * cost, and an observation of 0 requests is the second part of one that was counted when it was sent.
 */
export function requireObservedCost(
  { name, unpricedQuota }: Provider,
  { status, amounts, invalid }: ObservationReader,
): void {
  if (unpricedQuota === null || status !== "success" || amounts[REQUESTS] === 0 || invalid > 0) return;
  if (amounts[COST_USD] === UNSPECIFIED) throw missingCost(name, unpricedQuota, "usage.costMicroUsd");
}

function missingCost(provider: string, { spec, pool, fairnessKey }: Quota, path: string): InvalidConfig {
  const expected = "a cost in micro-USD";
  const owner = fairnessKey === null ? "its limit" : `the limit of key ${valueText(fairnessKey)}`;
  const shared = pool === null ? owner : `the limit of pool ${valueText(pool)}`;
  const limit = `${shared} of ${dollarsText(spec.limit)} per ${periodText(spec.window!)}`;
  const problem = `provider ${valueText(provider)} has no price, so ${limit} needs the cost of each request, got undefined`;
  const line = `${path}: ${problem}: set the price of the provider, or pass costMicroUsd`;
  return new InvalidConfig([{ path, expected, got: "undefined" }], [line]);
}
