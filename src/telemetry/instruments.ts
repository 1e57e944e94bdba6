/** One metric of a limiter. Both metric entries build their instruments from it. */
export interface Instrument {
  readonly kind: "counter" | "histogram" | "gauge";
  /** Unit as in UCUM: "s", "1", or a count such as "{attempt}". */
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of the buckets of a histogram, in its unit. */
  readonly bounds?: readonly number[];
}

/** Name of a counter. */
export type CounterName =
  | "granted"
  | "refused"
  | "attempts"
  | "expired"
  | "rate_limits"
  | "alternatives_used"
  | "retries"
  | "unrecognized_outcomes";
/** Name of a histogram. */
export type HistogramName = "wait" | "attempt_duration" | "backoff" | "cooldown";
/** Name of a gauge. */
export type GaugeName =
  | `quota_${"limit" | "limit_reported" | "used" | "reserved" | "remaining"}`
  | "health"
  | "state"
  | "in_flight"
  | "waiting";
/** Name of a metric. */
export type InstrumentName = CounterName | HistogramName | GaugeName;

const counter = (unit: string, description: string): Instrument => ({ kind: "counter", unit, description });
const gauge = (unit: string, description: string): Instrument => ({ kind: "gauge", unit, description });
const histogram = (bounds: readonly number[], description: string): Instrument => {
  return { kind: "histogram", unit: "s", description, bounds };
};

const WAIT_BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
const ATTEMPT_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** From 1 s to 1 h. */
const PAUSE_BOUNDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

/** All metrics by name. Every name of a label, and where its values come from, is in docs/guides/telemetry.md. */
export const INSTRUMENTS: { readonly [name in InstrumentName]: Instrument } = {
  granted: counter("{lease}", "Leases granted, by provider and capability."),
  refused: counter("{request}", "Requests refused, by capability and by the reason that ends first."),
  attempts: counter("{attempt}", "Leases settled, by provider, capability and status."),
  expired: counter("{lease}", "Leases that were not settled in time, by provider and capability."),
  rate_limits: counter("{attempt}", "Leases settled as rate_limited, by provider and capability."),
  alternatives_used: counter("{failover}", "Failovers, by provider before, provider after and capability."),
  retries: counter("{attempt}", "Attempts of a call after its first, by provider and capability."),
  unrecognized_outcomes: counter("{outcome}", "Outcomes that no rule recognizes, by provider and capability."),
  wait: histogram(WAIT_BOUNDS, "Waits of requests that did not get their lease immediately, by capability."),
  attempt_duration: histogram(ATTEMPT_BOUNDS, "Latency of settled leases, by provider."),
  backoff: histogram(
    PAUSE_BOUNDS,
    "Waits of calls between a failure and the next attempt, by provider of that attempt.",
  ),
  cooldown: histogram(PAUSE_BOUNDS, "Length of cooldowns at their start, by provider."),
  quota_limit: gauge("1", "Limit in force of a quota."),
  quota_limit_reported: gauge("1", "1: the provider reported the limit in force. 0: it was declared."),
  quota_used: gauge("1", "Amount counted in the window of a quota."),
  quota_reserved: gauge("1", "Amount of a quota that open leases reserve."),
  quota_remaining: gauge("1", "Amount of a quota that can be granted now."),
  health: gauge("1", "Health of a provider, from 0 to 1."),
  state: gauge("1", "1 for the state that a provider is in, 0 for the others."),
  in_flight: gauge("{request}", "Requests in flight of a provider."),
  waiting: gauge("{call}", "Calls in the wait queue, by capability."),
};
