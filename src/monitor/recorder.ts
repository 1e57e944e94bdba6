import type { GrateLimiter, Inspection, Metrics } from "grate-limiter";
import { DecisionLog } from "./decision-log.ts";
import { KEPT_POINTS, type Message, POINT_MS, type Point, TICK_MS } from "./message.ts";
import { providerRow, queueRows } from "./rows.ts";

/** Members of a limiter that the monitor reads. */
export type MonitoredLimiter = Pick<GrateLimiter, "inspect" | "on">;

/** Room for timers that fire early. */
const EARLY_MS = 50;
const KEPT_MS = KEPT_POINTS * POINT_MS;

/** Records take at most this share of the time, also with thousands of providers: then they come less often. */
const MOST_SHARE = 0.05;
const LONGEST_TICK_MS = 3_000;

/** Counters by which the rates of the charts are computed. */
interface Counts {
  readonly atMs: number;
  readonly granted: number;
  readonly refused: number;
  readonly failovers: number;
}

/** One record of the state. */
interface Snapshot {
  readonly state: Omit<Message, "isFull" | "decisions" | "points" | "providers">;
  /** Rows of the providers, as JSON. */
  readonly rows: readonly string[];
  readonly lastDecision: number;
}

/** Records the state of a limiter, and makes the messages about it: each once, however many streams send it. */
export class Recorder {
  readonly #limiter: MonitoredLimiter;
  readonly #title: string;
  readonly #now: () => number;
  readonly #log: DecisionLog;
  readonly #points: Point[] = [];
  #counts: Counts | null = null;
  #snapshot: Snapshot | null = null;
  /** Number of the latest record, from 1. */
  version = 0;
  /** Instant of the next record. */
  dueAt = 0;
  /** Message with the changes of the latest record since the one before. */
  changes = "";
  /** Message with the whole snapshot; null: it is not made yet. */
  #all: string | null = null;

  constructor(limiter: MonitoredLimiter, title: string, now: () => number) {
    this.#limiter = limiter;
    this.#title = title;
    this.#now = now;
    this.#log = new DecisionLog(limiter, now);
  }

  /** Begins to listen, and records the state. */
  start(): void {
    this.#log.start();
    this.#record();
  }

  /** Ends all listening. The latest decisions and points stay. */
  stop(): void {
    this.#log.stop();
    this.#counts = null;
    this.#snapshot = null;
    this.#all = null;
    this.changes = "";
  }

  /** Records the present state, unless the latest record is new enough. */
  recordIfDue(): void {
    if (this.#now() >= this.dueAt) this.#record();
  }

  #record(): void {
    const startedAt = this.#now();
    const inspection = this.#limiter.inspect();
    const before = this.#snapshot;
    const atMs = Math.round(this.#now());
    const points = this.#addPoint(inspection, atMs);
    const state = {
      title: this.#title,
      atMs,
      providerCount: inspection.providers.length,
      waiting: total(Object.values(inspection.waiting)),
      inFlight: total(inspection.providers.map(({ inFlight }) => inFlight)),
      oldestMs: inspection.queue.oldestMs,
      queue: queueRows(inspection),
      isSampled: this.#log.isSampled,
    };
    const rows = inspection.providers.map((provider) => JSON.stringify(providerRow(provider)));
    this.#snapshot = { state, rows, lastDecision: this.#log.lastId };
    this.#all = null;
    const decisions = this.#log.between(before?.lastDecision ?? 0, this.#log.lastId);
    this.#log.renew();
    const changed = (row: string, index: number) => row !== before?.rows[index];
    this.changes = messageText({ isFull: false, ...state, decisions, points }, rows, changed);
    this.version++;
    const leastMs = (this.#now() - startedAt) / MOST_SHARE;
    this.dueAt = startedAt + Math.min(LONGEST_TICK_MS, Math.max(TICK_MS, leastMs));
  }

  /** Message with the whole state as of the latest record. */
  all(): string {
    if (this.#all === null) {
      const { state, rows, lastDecision } = this.#snapshot!;
      const decisions = this.#log.between(0, lastDecision);
      const points = this.#points.filter(({ atMs }) => atMs > state.atMs - KEPT_MS);
      this.#all = messageText({ isFull: true, ...state, decisions, points }, rows, () => true);
    }
    return this.#all;
  }

  /** Adds a point if one is due. Returns the new ones. */
  #addPoint(inspection: Inspection, atMs: number): readonly Point[] {
    const last = this.#counts;
    if (last !== null && atMs - last.atMs < POINT_MS - EARLY_MS) return [];
    const counts = countsOf(inspection.metrics, atMs);
    this.#counts = counts;
    // A rate needs two counts.
    if (last === null) return [];
    const perSecond = (name: "granted" | "refused" | "failovers") =>
      Math.round(((counts[name] - last[name]) * 10_000) / (atMs - last.atMs)) / 10;
    const point: Point = {
      atMs,
      granted: perSecond("granted"),
      refused: perSecond("refused"),
      failovers: perSecond("failovers"),
      waiting: total(Object.values(inspection.waiting)),
      inFlight: total(inspection.providers.map(({ inFlight }) => inFlight)),
      oldestMs: Math.round(inspection.queue.oldestMs ?? 0),
    };
    this.#points.push(point);
    if (this.#points.length > KEPT_POINTS) this.#points.shift();
    return [point];
  }
}

/** Advice counts like a grant: it is the decision of a program that sends without leases. */
function countsOf(metrics: Metrics, atMs: number): Counts {
  const { leasesGranted, selects, noProviderAvailable, refusals, failovers } = metrics;
  const granted = leasesGranted + selects - noProviderAvailable;
  return { atMs, granted, refused: refusals + noProviderAvailable, failovers };
}

function messageText(
  head: Omit<Message, "providers">,
  rows: readonly string[],
  isListed: (row: string, index: number) => boolean,
): string {
  const listed = rows.flatMap((row, index) => (isListed(row, index) ? `[${index},${row}]` : []));
  // The rows are JSON already.
  return `${JSON.stringify(head).slice(0, -1)},"providers":[${listed.join()}]}`;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
