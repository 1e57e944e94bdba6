// Messages of the stream. The page reads them: `monitor-page` imports these types.
import type { Dimension, ProviderInspection, ScoreBreakdown, StatusClass, WindowSpec } from "grate-limiter";

/** State of one quota. Amounts are whole; money is in micro-USD. */
export interface QuotaRow {
  readonly dimension: Dimension;
  readonly window: WindowSpec | null;
  readonly pool: string | null;
  /** Limit in force. */
  readonly limit: number;
  /** True if the provider reported a lower limit than the declared one. */
  readonly isReported: boolean;
  readonly used: number;
  readonly reserved: number;
  readonly remaining: number;
  /** Milliseconds until it is exhausted at the present rate; null: it is not. */
  readonly exhaustedInMs: number | null;
}

/** State of one provider. */
export interface ProviderRow {
  readonly name: string;
  readonly state: ProviderInspection["state"];
  readonly health: number;
  readonly latencyMs: number | null;
  readonly cooldownMs: number;
  readonly inFlight: number;
  readonly abandonedTasks: number;
  readonly quotas: readonly QuotaRow[];
}

/** Reason why a provider cannot take a request. */
export interface ReasonRow {
  readonly provider: string;
  readonly reason: string;
  readonly retryAfterMs: number | null;
  readonly statedWaitMs?: number;
  readonly heldForMs?: number;
  readonly needs?: {
    readonly dimension: Dimension;
    readonly window: WindowSpec | null;
    readonly pool: string | null;
    readonly limit: number;
    readonly remaining: number;
    readonly needed: number;
  };
}

/** The first reasons, and the number of the others. */
export interface Reasons {
  readonly first: readonly ReasonRow[];
  readonly others: number;
}

/** Queued calls with one capability and one fairness key. */
export interface QueueRow {
  readonly capability: string;
  readonly key: string | null;
  readonly waiting: number;
  readonly oldestMs: number;
  readonly waitsFor: Reasons;
}

/** Kind of a decision, and the facts of that kind. */
export type DecisionDetails =
  | {
      readonly kind: "granted";
      readonly waitedMs: number;
      readonly score: number;
      readonly parts: ScoreBreakdown;
      /** The next best providers and their scores. */
      readonly others: readonly (readonly [provider: string, score: number])[];
    }
  | { readonly kind: "queued" | "refused"; readonly reasons: Reasons; readonly retryAfterMs?: number | null }
  | { readonly kind: "failover"; readonly from: string; readonly status: StatusClass }
  | { readonly kind: "cooldownStarted"; readonly status: StatusClass; readonly durationMs: number }
  | { readonly kind: "unrecognizedOutcome"; readonly name: string | null; readonly code: string | number | null }
  | { readonly kind: "repeatedlyUnsuitable"; readonly count: number }
  | { readonly kind: "cooldownEnded" | "providerDead" | "providerRevived" | "leaseExpired" };

/** One decision, or one event that explains decisions. */
export type DecisionRow = DecisionDetails & {
  /** Number in the order of events. */
  readonly id: number;
  /** Instant on the clock of the message. */
  readonly atMs: number;
  readonly provider: string | null;
  readonly capability: string | null;
  readonly label: string | null;
};

/** One point of the charts. Rates are per second since the point before. */
export interface Point {
  /** Instant on the clock of the message. */
  readonly atMs: number;
  readonly granted: number;
  readonly refused: number;
  readonly failovers: number;
  readonly waiting: number;
  readonly inFlight: number;
  readonly oldestMs: number;
}

/** One message: all of the state, or the changes since the message before. */
export interface Message {
  readonly isFull: boolean;
  readonly title: string;
  /** Instant of the message, in milliseconds of the server's monotonic clock. */
  readonly atMs: number;
  /** Number of all providers. */
  readonly providerCount: number;
  readonly waiting: number;
  readonly oldestMs: number | null;
  readonly queue: readonly QueueRow[];
  readonly inFlight: number;
  /** True if there were more decisions than a message lists. */
  readonly isSampled: boolean;
  readonly decisions: readonly DecisionRow[];
  readonly points: readonly Point[];
  /** Changed providers, with their indices. */
  readonly providers: readonly (readonly [index: number, row: ProviderRow])[];
}

/** Milliseconds between two messages. */
export const TICK_MS: number = 500;

/** Milliseconds between two points of the charts. */
export const POINT_MS: number = 1_000;

/** Decisions of a kind that a message lists. */
export const LISTED_PER_TICK: number = 10;

/** Kinds of decisions that each call can have. They must not displace the few others, so both are kept apart. */
export const FREQUENT_KINDS: readonly DecisionRow["kind"][] = ["granted", "queued", "refused"];

/** Decisions of the frequent kinds that are kept. */
export const KEPT_FREQUENT: number = 150;

/** Decisions of the other kinds that are kept. */
export const KEPT_RARE: number = 50;

/** Points that are kept: ten minutes. */
export const KEPT_POINTS: number = 600;
