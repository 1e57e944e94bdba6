import type { ObservedLimiter } from "../telemetry/event-counts.ts";
import type { SpanAttributes, TelemetryApi, TelemetryMeter, TelemetryTracer } from "./api.ts";
import { writeMetrics } from "./metrics.ts";
import { writeSpans } from "./spans.ts";

export type { ObservedLimiter } from "../telemetry/event-counts.ts";
export type {
  InstrumentOptions,
  MetricObserver,
  SpanAttributes,
  TelemetryApi,
  TelemetryMeter,
  TelemetrySpan,
  TelemetryTracer,
} from "./api.ts";

/** Options of `instrument` for OpenTelemetry. At least one of `meter` and `tracer` is needed. */
export interface OpenTelemetryOptions {
  /** Meter that gets the metrics; default: no metrics. */
  readonly meter?: TelemetryMeter | undefined;
  /** Tracer that gets the spans; default: no spans. It needs `api`. */
  readonly tracer?: TelemetryTracer | undefined;
  /** The module `@opentelemetry/api`, which knows the active span of the caller. */
  readonly api?: TelemetryApi | undefined;
  /** Value of the attribute `limiter`; default "default". Each limiter of one meter needs its own. */
  readonly name?: string | undefined;
  /** Attributes of the spans of attempts by provider, such as "gen_ai.provider.name"; default: none. */
  readonly providerAttributes?: { readonly [provider: string]: SpanAttributes } | undefined;
}

/**
 * Writes metrics and spans of a limiter with OpenTelemetry. Returns a function that stops and ends all open spans; further
 * calls of it do nothing. Throws a TypeError if the options are invalid, and an Error if the meter already has a limiter of
 * that name.
 */
export function instrument(limiter: ObservedLimiter, options: OpenTelemetryOptions): () => void {
  const { meter, tracer, api, name = "default", providerAttributes = {} } = options;
  const problems = [
    meter === undefined && tracer === undefined ? "meter, tracer: at least one is needed" : "",
    tracer !== undefined && api === undefined ? "api: missing, pass the module @opentelemetry/api with `tracer`" : "",
    typeof name === "string" ? "" : `name: must be a string, got ${typeof name}`,
  ].filter((problem) => problem !== "");
  if (problems.length > 0) throw new TypeError(problems.join("; "));
  const stops: (() => void)[] = [];
  if (meter !== undefined) stops.push(writeMetrics(limiter, meter, name));
  if (tracer !== undefined && api !== undefined) {
    stops.push(writeSpans(limiter, { tracer, api, limiter: name, providerAttributes }));
  }
  return () => {
    for (const stop of stops) stop();
  };
}
