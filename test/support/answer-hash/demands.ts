import type { AcquireOptions, RunOptions, SelectOptions, Settlement, StatusClass, Usage } from "../../../src/index.ts";
import type { Configs } from "./configs.ts";

const STATUSES: readonly (StatusClass | number)[] = [
  ...(["success", "success", "success", "success", "rate_limited", "rate_limited", "server_error"] as const),
  ...(["forbidden", "timeout", "client_error", "overloaded", "quota_exhausted", "cancelled"] as const),
  ...[200, 404, 402, 408, 429, 500, 503, 529],
];
const CLASSIC_STATUSES: readonly (StatusClass | number)[] = [
  ...(["success", "success", "success", "rate_limited", "server_error"] as const),
  ...(["forbidden", "timeout", "client_error", "overloaded"] as const),
  ...[200, 404, 403, 408, 429, 500, 503],
];

/** The status of a request that has ended; a few are unknown to the profile, and death is rare. */
export function status({ random, isClassic, failurePercent }: Configs): StatusClass | number {
  if (!random.chance(failurePercent)) return random.pick(["success", 200] as const);
  if (!isClassic && random.chance(1)) return random.pick(["unauthorized", 401] as const);
  return random.pick(isClassic ? CLASSIC_STATUSES : STATUSES);
}

/** Amounts that a response reports; in rare cases one is invalid. */
export function usage({ random }: Configs): Usage {
  const isSplit = random.chance(50);
  return {
    requests: random.maybe(15, () => random.int(0, 2)),
    tokens: random.maybe(isSplit ? 10 : 70, () => (random.chance(2) ? Number.NaN : random.int(0, 90))),
    inputTokens: random.maybe(isSplit ? 85 : 0, () => random.int(0, 50)),
    outputTokens: random.maybe(isSplit ? 85 : 0, () => (random.chance(3) ? -1 : random.int(0, 50) + 0.5)),
    bytes: random.maybe(15, () => random.int(0, 400)),
    costMicroUsd: random.maybe(12, () => random.int(0, 4_000)),
  };
}

/** A settlement in one of the forms that callers use. */
export function settlement(configs: Configs): Settlement {
  const { random, paceMs } = configs;
  return {
    status: random.maybe(85, () => status(configs)),
    usage: random.maybe(55, () => usage(configs)),
    latencyMs: random.maybe(45, () => random.int(0, 3_000) / 2),
    retryAfterMs: random.maybe(12, () => paceMs * random.int(0, 12)),
  };
}

/** The demand of one request: often unspecified, at times too large for every provider, in rare cases invalid. */
export function demand({ random, isClassic, providers }: Configs): SelectOptions {
  if (isClassic) return random.chance(96) ? {} : { tokens: random.int(1, 50) };
  const isSplit = random.chance(35);
  return {
    requests: random.maybe(12, () => random.int(0, 3)),
    tokens: random.maybe(isSplit ? 5 : 35, () => (random.chance(3) ? 5_000 : random.int(0, 80))),
    inputTokens: random.maybe(isSplit ? 80 : 0, () => random.int(0, 40)),
    outputTokens: random.maybe(isSplit ? 50 : 0, () => random.int(0, 40)),
    maxOutputTokens: random.maybe(isSplit ? 40 : 3, () => random.int(1, 60)),
    bytes: random.maybe(8, () => random.int(0, 300)),
    // Providers with a cost quota and without a price refuse requests that state no cost.
    costMicroUsd: random.maybe(85, () => (random.chance(5) ? -1 : random.int(0, 3_000))),
    only: random.maybe(6, () => random.subset(providers)),
    exclude: random.maybe(8, () => random.subset(providers).slice(0, 2)),
  };
}

/** How one `acquire` waits. */
export function waiting(configs: Configs, signal: AbortSignal | undefined): AcquireOptions {
  const { random, paceMs } = configs;
  return {
    ...demand(configs),
    maxWaitMs: random.maybe(85, () =>
      random.weighted([
        [1, 0],
        [1, Infinity],
        [12, paceMs * random.int(5, 60)],
        [5, configs.windowMs() * random.int(1, 2)],
      ]),
    ),
    priority: random.maybe(35, () => random.int(-1, 3)),
    leaseTimeoutMs: random.maybe(15, () => paceMs * random.int(1, 20)),
    signal,
  };
}

/** How one `run` waits and retries. */
export function running(configs: Configs, signal: AbortSignal | undefined): RunOptions {
  const { random, paceMs } = configs;
  return {
    ...waiting(configs, signal),
    timeoutMs: random.maybe(25, () => paceMs * random.int(1, 40)),
    attemptTimeoutMs: random.maybe(25, () => paceMs * random.int(1, 8)),
    maxAttempts: random.maybe(25, () => random.int(1, 5)),
    idempotent: random.maybe(25, () => random.chance(50)),
    classify: random.maybe(10, () => (result) => (result.ok ? undefined : { status: "overloaded" as const })),
  };
}
