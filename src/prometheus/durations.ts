import type { Labels, RecordDuration } from "../telemetry/event-counts.ts";
import { type HistogramName, INSTRUMENTS } from "../telemetry/instruments.ts";
import type { Value } from "./limiter-metric.ts";

interface Buckets {
  /** Values per bucket, not cumulated; the last one is above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** Histograms of one limiter. */
export class Durations {
  readonly #byName = new Map<HistogramName, Map<Labels, Buckets>>();

  readonly record: RecordDuration = (name, labels, seconds) => {
    const { bounds } = INSTRUMENTS[name];
    const series = this.#byName.get(name) ?? new Map<Labels, Buckets>();
    this.#byName.set(name, series);
    let buckets = series.get(labels);
    if (buckets === undefined) {
      buckets = { counts: new Array<number>(bounds!.length + 1).fill(0), sum: 0 };
      series.set(labels, buckets);
    }
    let place = 0;
    while (place < bounds!.length && seconds > bounds![place]!) place++;
    buckets.counts[place]!++;
    buckets.sum += seconds;
  };

  /** Series of a histogram in the form of Prometheus: cumulated buckets, sum and count. */
  values(name: HistogramName): readonly Value[] {
    const metricName = `grate_limiter_${name}_seconds`;
    return [...(this.#byName.get(name) ?? [])].flatMap(([labels, { counts, sum }]) => {
      let value = 0;
      const buckets = counts.map((count, place): Value => {
        value += count;
        const le = INSTRUMENTS[name].bounds![place] ?? "+Inf";
        return { metricName: `${metricName}_bucket`, labels: { ...labels, le: `${le}` }, value };
      });
      const total = { metricName: `${metricName}_count`, labels, value };
      return [...buckets, { metricName: `${metricName}_sum`, labels, value: sum }, total];
    });
  }
}
