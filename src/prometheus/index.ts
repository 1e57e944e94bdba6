import type { GrateLimiter } from "grate-limiter";
import { EventCounts } from "../telemetry/event-counts.ts";
import { type Reading, readGauges } from "../telemetry/gauge-readings.ts";
import { INSTRUMENTS, type InstrumentName } from "../telemetry/instruments.ts";
import { Durations } from "./durations.ts";
import { LimiterMetric, type Source, type Value } from "./limiter-metric.ts";
import type { PrometheusRegistry } from "./registry.ts";

export type { PrometheusRegistry } from "./registry.ts";

// Declared here and not imported, so that the declarations of two entries share no file.
/** Members of a limiter that this entry reads. */
export type ObservedLimiter = Pick<GrateLimiter, "inspect" | "on">;

/** Options of `instrument` for prom-client. */
export interface PrometheusOptions {
  /** Registry that gets the metrics, such as `register` of prom-client. */
  readonly register: PrometheusRegistry;
  /** Value of the label `limiter`; default "default". Each limiter of one registry needs its own. */
  readonly name?: string | undefined;
}

/**
 * Adds the metrics of a limiter to a registry of prom-client, with names that begin with `grate_limiter_`. Counters start
 * at 0 now. Returns a function that removes the series of this limiter; further calls of it do nothing. Throws a TypeError
 * if the options are invalid, and an Error if the registry already has a limiter of that name, or a metric of another
 * library with one of the names.
 */
export function instrument(limiter: ObservedLimiter, options: PrometheusOptions): () => void {
  const { register, name = "default" } = options;
  if (typeof register?.registerMetric !== "function") {
    throw new TypeError("register: must be a Registry of prom-client");
  }
  if (typeof name !== "string") throw new TypeError(`name: must be a string, got ${typeof name}`);
  const names = Object.keys(INSTRUMENTS) as InstrumentName[];
  const targets = names.map((one) => [one, LimiterMetric.in(register, one)] as const);
  for (const [, metric] of targets) metric?.requireFree(name);

  const durations = new Durations();
  const counts = new EventCounts(limiter, name, durations.record);
  // All gauges of one scrape share one inspection: the registry asks all metrics in one synchronous step.
  let readings: readonly Reading[] | null = null;
  const gauges = () => {
    if (readings === null) {
      readings = readGauges(limiter, name);
      Promise.resolve().then(() => {
        readings = null;
      });
    }
    return readings;
  };
  const source: Source = (one): readonly Value[] => {
    const { kind } = INSTRUMENTS[one];
    if (kind === "gauge") return gauges().filter((reading) => reading.name === one);
    if (kind === "histogram") return durations.values(one as never);
    return [...counts.series(one as never)];
  };
  const stops = targets.map(([one, metric]) => (metric ?? LimiterMetric.create(register, one)).add(name, source));
  return () => {
    counts.stop();
    for (const stop of stops.splice(0)) stop(register);
  };
}
