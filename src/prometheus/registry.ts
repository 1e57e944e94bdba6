/** Part of the `Registry` of prom-client that is used. */
export interface PrometheusRegistry {
  getSingleMetric(name: string): object | undefined;
  registerMetric(metric: object): void;
  removeSingleMetric(name: string): void;
}
