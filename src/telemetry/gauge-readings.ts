import type { Inspection, WindowSpec } from "grate-limiter";
import type { Labels, ObservedLimiter } from "./event-counts.ts";
import type { GaugeName } from "./instruments.ts";

/** Current value of one series of a gauge. */
export interface Reading {
  readonly name: GaugeName;
  readonly labels: Labels;
  readonly value: number;
}

type State = Inspection["providers"][number]["state"];

const STATES = Object.keys({
  available: null,
  cooldown: null,
  trial: null,
  ramping: null,
  unhealthy: null,
  dead: null,
  paused: null,
} satisfies { [state in State]: null });

/** Reads all gauges of a limiter. Its name is the label `limiter`. No two readings have the same name and labels. */
export function readGauges(observed: ObservedLimiter, limiter: string): readonly Reading[] {
  const { providers, waiting } = observed.inspect();
  const readings: Reading[] = [];
  const add = (name: GaugeName, labels: Labels, value: number) => {
    readings.push({ name, labels: { limiter, ...labels }, value });
  };
  for (const { name: provider, health, state, inFlight, quotas } of providers) {
    add("health", { provider }, health);
    add("in_flight", { provider }, inFlight);
    for (const one of STATES) add("state", { provider, state: one }, one === state ? 1 : 0);
    // Several quotas can have one dimension, window and pool. The one with the least left decides.
    const tightest = new Map<string, (typeof quotas)[number]>();
    for (const quota of quotas) {
      const key = JSON.stringify([quota.dimension, windowName(quota.window), quota.pool]);
      const other = tightest.get(key);
      if (other === undefined || quota.remaining < other.remaining) tightest.set(key, quota);
    }
    for (const { dimension, window, pool, ...quota } of tightest.values()) {
      const labels = { provider, dimension, window: windowName(window), pool: pool ?? "" };
      add("quota_limit", labels, quota.ceiling);
      add("quota_limit_reported", labels, quota.ceilingSource === "header" ? 1 : 0);
      add("quota_used", labels, quota.used);
      add("quota_reserved", labels, quota.inFlight);
      add("quota_remaining", labels, quota.remaining);
    }
  }
  for (const [capability, calls] of Object.entries(waiting)) add("waiting", { capability }, calls);
  return readings;
}

/** "minute", "90 s", "calendar day Europe/Berlin"; "": no window. */
function windowName(window: WindowSpec | null): string {
  if (window === null) return "";
  if (typeof window === "string") return window;
  if ("seconds" in window) return `${window.seconds} s`;
  return `calendar ${window.calendar}${window.timeZone === undefined ? "" : ` ${window.timeZone}`}`;
}
