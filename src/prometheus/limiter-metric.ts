import type { Labels } from "../telemetry/event-counts.ts";
import { INSTRUMENTS, type InstrumentName } from "../telemetry/instruments.ts";
import type { PrometheusRegistry } from "./registry.ts";

/** One line of a scrape. */
export interface Value {
  /** Default: the name of the metric. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Reads the values of a metric of one limiter. */
export type Source = (name: InstrumentName) => readonly Value[];

/** Metric in a registry of prom-client, with the values of all limiters that were instrumented there. */
export class LimiterMetric {
  /** Marks metrics of this library, also those of another copy of it. */
  readonly origin = "grate-limiter";
  /** prom-client removes "_total" from it in the OpenMetrics format. */
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator = "sum";
  readonly #instrument: InstrumentName;
  readonly #registeredName: string;
  readonly #sources = new Map<string, Source>();

  private constructor(instrument: InstrumentName) {
    const { kind, description } = INSTRUMENTS[instrument];
    this.#instrument = instrument;
    this.#registeredName = prometheusName(instrument);
    this.name = this.#registeredName;
    this.help = description;
    this.type = kind;
  }

  /** Metric of that name in a registry; undefined: none. Throws an Error if another library has registered it. */
  static in(register: PrometheusRegistry, instrument: InstrumentName): LimiterMetric | undefined {
    const name = prometheusName(instrument);
    const found = register.getSingleMetric(name);
    if (found === undefined || (found as { origin?: unknown }).origin === "grate-limiter")
      return found as LimiterMetric | undefined;
    throw new Error(`register: has a metric "${name}" that is not of grate-limiter`);
  }

  /** Adds a metric to a registry. */
  static create(register: PrometheusRegistry, instrument: InstrumentName): LimiterMetric {
    const metric = new LimiterMetric(instrument);
    register.registerMetric(metric);
    return metric;
  }

  /** Throws an Error if a limiter of that name is in the metric. */
  requireFree(limiter: string): void {
    if (!this.#sources.has(limiter)) return;
    throw new Error(`name: a limiter ${JSON.stringify(limiter)} is already in this registry, give each its own name`);
  }

  /** Adds the values of a limiter. Returns the function that removes them, and the metric with the last of them. */
  add(limiter: string, source: Source): (register: PrometheusRegistry) => void {
    this.#sources.set(limiter, source);
    return (register) => {
      this.#sources.delete(limiter);
      const isLast = this.#sources.size === 0 && register.getSingleMetric(this.#registeredName) === this;
      if (isLast) register.removeSingleMetric(this.#registeredName);
    };
  }

  /** Answer to a scrape. Part of the contract of prom-client. */
  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return {
      name,
      help,
      type,
      aggregator,
      values: [...this.#sources.values()].flatMap((read) => read(this.#instrument)),
    };
  }

  /** Does nothing: the counters have the age of their limiter. Part of the contract of prom-client. */
  reset(): void {}
}

/** Name by the rules of Prometheus, with the unit and "total" at the end. */
function prometheusName(name: InstrumentName): string {
  const { kind, unit } = INSTRUMENTS[name];
  return `grate_limiter_${name}${unit === "s" ? "_seconds" : ""}${kind === "counter" ? "_total" : ""}`;
}
