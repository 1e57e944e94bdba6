import type { Settlement } from "../api/lease.ts";
import type { Outcome } from "../health/health.ts";
import { type UsageVector, unspecifiedUsage } from "../quota/usage-vector.ts";
import { isRecord } from "../validation/problems.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";
import { hasOnlyKnownKeys, isGiven, readDuration, readUsage, statusNamed } from "./outcome-fields.ts";

/** The settlement of most leases; one shared object, so that it need not be parsed. */
export const SUCCEEDED: Settlement = { status: "success" };

/** A settlement, complete. */
export interface ParsedSettlement extends Outcome {
  /** null: no usage was reported. */
  readonly amounts: UsageVector | null;
  /** Number of fields that were invalid, and are ignored. */
  readonly invalid: number;
}

const SETTLEMENT_KEYS: ReadonlySet<string> = new Set(["status", "usage", "latencyMs", "retryAfterMs", "reported"]);

/** Parses anything as a settlement: an unknown status, or an object without any known field, means "cancelled". */
export function parseSettlement(settlement: unknown, vocabulary: Vocabulary): ParsedSettlement {
  const fields: { readonly [key in keyof Settlement]?: unknown } = isRecord(settlement) ? settlement : {};
  const { usage, latencyMs, retryAfterMs, reported } = fields;
  const given =
    isGiven(fields.status) + isGiven(usage) + isGiven(latencyMs) + isGiven(retryAfterMs) + isGiven(reported);
  const isSettlement =
    isRecord(settlement) && (given > 0 || isPlain(settlement)) && hasOnlyKnownKeys(settlement, given, SETTLEMENT_KEYS);
  // A settlement that cannot be read (`settle(429)`, `{ code: 429 }`) does not mean success.
  const status = fields.status === undefined && isSettlement ? "success" : statusNamed(fields.status, vocabulary);
  const amounts = usage === undefined ? null : unspecifiedUsage();
  const latency = readDuration(latencyMs, Number.MAX_VALUE);
  const retryAfter = readDuration(retryAfterMs, Infinity);
  const invalid =
    (amounts === null ? 0 : readUsage(usage, amounts)) +
    Number(status === null || !isSettlement) +
    Number(latency === undefined) +
    Number(retryAfter === undefined);
  return {
    status: status ?? "cancelled",
    latencyMs: latency ?? null,
    retryAfterMs: retryAfter ?? null,
    knownResetAt: null,
    amounts,
    invalid,
  };
}

function isPlain(value: object): boolean {
  const proto = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}
