// Parts of `@opentelemetry/api` that are used, by structure.
import type { Labels } from "../telemetry/event-counts.ts";

/** Values of attributes by name. */
export interface SpanAttributes {
  readonly [name: string]: string | number | boolean;
}

/** Receives the values of one collection. */
export interface MetricObserver {
  observe(instrument: object, value: number, attributes?: Labels): void;
}

/** Options of one instrument. */
export interface InstrumentOptions {
  unit: string;
  description: string;
  advice?: { explicitBucketBoundaries: number[] };
}

/** `Meter` of OpenTelemetry. */
export interface TelemetryMeter {
  createHistogram(name: string, options: InstrumentOptions): { record(value: number, attributes?: Labels): void };
  createObservableCounter(name: string, options: InstrumentOptions): object;
  createObservableGauge(name: string, options: InstrumentOptions): object;
  addBatchObservableCallback(callback: (observer: MetricObserver) => void, instruments: object[]): void;
  removeBatchObservableCallback(callback: (observer: MetricObserver) => void, instruments: object[]): void;
}

/** `Span` of OpenTelemetry. */
export interface TelemetrySpan {
  setAttributes(attributes: { [name: string]: string | number | boolean }): unknown;
  setStatus(status: { code: number }): unknown;
  addEvent(name: string, attributes?: { [name: string]: string | number | boolean }): unknown;
  end(): void;
}

/** `Tracer` of OpenTelemetry. */
export interface TelemetryTracer<Context = never> {
  startSpan(
    name: string,
    options: { kind: number; attributes: { [name: string]: string | number | boolean } },
    context: Context,
  ): object;
}

/** The module `@opentelemetry/api`. */
export interface TelemetryApi {
  readonly context: { active(): object };
  readonly trace: { setSpan(context: never, span: never): object };
}
