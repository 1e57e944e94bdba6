import type { GrateLimiter, RefusalReason } from "grate-limiter";
import type { CounterName, HistogramName } from "./instruments.ts";

/** Members of a limiter that telemetry reads. */
export type ObservedLimiter = Pick<GrateLimiter, "inspect" | "on">;

/** Names and values of the labels of one series. */
export interface Labels {
  readonly [label: string]: string;
}

/** One series of a counter. */
export interface Count {
  readonly labels: Labels;
  value: number;
}

/** Receives each value of a histogram, in seconds. One combination of labels is always the same object. */
export type RecordDuration = (name: HistogramName, labels: Labels, seconds: number) => void;

/** Series by the values of their labels. */
class SeriesByLabels {
  readonly series = new Map<string, Count>();
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Series of these values, which are in the order of the names of the labels. */
  of(first: string, second = "", third = "", fourth = ""): Count {
    // The lengths keep apart values that contain the separator.
    const key = `${first.length},${second.length},${third.length}:${first}${second}${third}${fourth}`;
    let found = this.series.get(key);
    if (found === undefined) {
      const values = [first, second, third, fourth];
      found = { labels: Object.fromEntries(this.#names.map((name, place) => [name, values[place]!])), value: 0 };
      this.series.set(key, found);
    }
    return found;
  }
}

/** Counters of the events of one limiter. Labels are names of the configuration: no label or key of a call is one. */
export class EventCounts {
  readonly #byName = new Map<CounterName, SeriesByLabels>();
  readonly #stops: (() => void)[] = [];

  /** Starts to listen. `limiter` is the value of the label of that name. */
  constructor(observed: ObservedLimiter, limiter: string, record: RecordDuration) {
    const counter = (name: CounterName, ...labels: string[]) => {
      const series = new SeriesByLabels(["limiter", ...labels]);
      this.#byName.set(name, series);
      return series;
    };
    const granted = counter("granted", "provider", "capability");
    const refused = counter("refused", "capability", "reason");
    const attempts = counter("attempts", "provider", "capability", "status");
    const expired = counter("expired", "provider", "capability");
    const rateLimits = counter("rate_limits", "provider", "capability");
    const alternatives = counter("alternatives_used", "from", "to", "capability");
    const retries = counter("retries", "provider", "capability");
    const unrecognized = counter("unrecognized_outcomes", "provider", "capability");
    const byProvider = new SeriesByLabels(["limiter", "provider"]);
    const byCapability = new SeriesByLabels(["limiter", "capability"]);
    const time = (name: HistogramName, { labels }: Count, ms: number) => {
      if (Number.isFinite(ms)) record(name, labels, ms / 1_000);
    };

    this.#stops.push(
      observed.on("leaseGranted", ({ lease: { provider, capability }, waitedMs }) => {
        granted.of(limiter, provider, capability).value++;
        if (waitedMs > 0) time("wait", byCapability.of(limiter, capability), waitedMs);
      }),
      observed.on("leaseSettled", ({ lease: { provider, capability }, status, latencyMs }) => {
        attempts.of(limiter, provider, capability, status).value++;
        if (status === "rate_limited") rateLimits.of(limiter, provider, capability).value++;
        time("attempt_duration", byProvider.of(limiter, provider), latencyMs);
      }),
      observed.on("leaseExpired", ({ lease: { provider, capability } }) => {
        expired.of(limiter, provider, capability).value++;
      }),
      observed.on("refused", ({ capability, refusal: { reasons } }) => {
        refused.of(limiter, capability, earliestReason(reasons)).value++;
      }),
      observed.on("failover", ({ from, to, capability }) => {
        alternatives.of(limiter, from, to, capability).value++;
      }),
      observed.on("attemptStarted", ({ provider, capability, attempt, waitedMs }) => {
        if (attempt === 1) return;
        retries.of(limiter, provider, capability).value++;
        if (waitedMs > 0) time("backoff", byProvider.of(limiter, provider), waitedMs);
      }),
      observed.on("cooldownStarted", ({ provider, durationMs }) => {
        time("cooldown", byProvider.of(limiter, provider), durationMs);
      }),
      observed.on("unrecognizedOutcome", ({ provider, capability }) => {
        unrecognized.of(limiter, provider, capability).value++;
      }),
    );
  }

  /** All series of a counter. */
  series(name: CounterName): Iterable<Count> {
    return this.#byName.get(name)!.series.values();
  }

  /** Removes all listeners. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}

/** Reason that ends first; of those without a known end, the first one; "none" without providers. */
function earliestReason(reasons: readonly RefusalReason[]): string {
  let earliest = reasons[0];
  for (const reason of reasons) {
    if ((reason.retryAfterMs ?? Infinity) < (earliest!.retryAfterMs ?? Infinity)) earliest = reason;
  }
  return earliest?.reason ?? "none";
}
