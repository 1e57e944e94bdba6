import { EventCounts, type Labels, type ObservedLimiter } from "../telemetry/event-counts.ts";
import { type Reading, readGauges } from "../telemetry/gauge-readings.ts";
import { type CounterName, INSTRUMENTS, type InstrumentName } from "../telemetry/instruments.ts";
import type { InstrumentOptions, MetricObserver, TelemetryMeter } from "./api.ts";

/** Names of the limiters that each meter has. The entries live as long as the meter. */
const limitersOf = new WeakMap<object, Set<string>>();

/** Starts to feed the instruments of a meter. Returns the function that stops. */
export function writeMetrics(observed: ObservedLimiter, meter: TelemetryMeter, limiter: string): () => void {
  const taken = limitersOf.get(meter) ?? new Set();
  limitersOf.set(meter, taken);
  if (taken.has(limiter)) {
    throw new Error(`name: a limiter ${JSON.stringify(limiter)} is already in this meter, give each its own name`);
  }
  const histograms = new Map<InstrumentName, { record(value: number, labels: Labels): void }>();
  const counters = new Map<CounterName, object>();
  const gauges = new Map<InstrumentName, object>();
  for (const name of Object.keys(INSTRUMENTS) as InstrumentName[]) {
    const { kind, unit, description, bounds } = INSTRUMENTS[name];
    const options: InstrumentOptions = { unit, description };
    const fullName = `grate_limiter.${name}`;
    if (kind === "histogram") {
      const advice = { explicitBucketBoundaries: [...bounds!] };
      histograms.set(name, meter.createHistogram(fullName, { ...options, advice }));
    } else if (kind === "counter") counters.set(name as CounterName, meter.createObservableCounter(fullName, options));
    else gauges.set(name, meter.createObservableGauge(fullName, options));
  }

  const counts = new EventCounts(observed, limiter, (name, labels, seconds) => {
    histograms.get(name)!.record(seconds, labels);
  });
  const instruments = [...counters.values(), ...gauges.values()];
  let isStopped = false;
  let before = new Map<string, Reading>();
  const collect = (observer: MetricObserver) => {
    for (const [name, instrument] of counters) {
      for (const { labels, value } of counts.series(name)) observer.observe(instrument, value, labels);
    }
    const now = new Map<string, Reading>();
    for (const reading of isStopped ? [] : readGauges(observed, limiter)) {
      now.set(JSON.stringify([reading.name, reading.labels]), reading);
      observer.observe(gauges.get(reading.name)!, reading.value, reading.labels);
    }
    // Readers with cumulative temporality repeat the last value of a series for ever. NaN ends it.
    for (const [key, { name, labels }] of before) {
      if (!now.has(key)) observer.observe(gauges.get(name)!, Number.NaN, labels);
    }
    before = now;
    if (isStopped) meter.removeBatchObservableCallback(collect, instruments);
  };
  meter.addBatchObservableCallback(collect, instruments);
  taken.add(limiter);
  return () => {
    if (isStopped) return;
    // The next collection reports the last counts and the end of the gauges, and removes the callback.
    isStopped = true;
    counts.stop();
    taken.delete(limiter);
  };
}
