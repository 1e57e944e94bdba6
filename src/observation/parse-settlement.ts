import type { Settlement } from "../api/lease.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Outcome } from "../health/health.ts";
import { type UsageVector, unspecifiedUsage } from "../quota/usage-vector.ts";
import { isRecord } from "../validation/problems.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";
import { hasOnlyKnownKeys, isPresent, readDuration, readUsage, statusNamed } from "./outcome-fields.ts";

/** Settlement of most leases. It is one shared object that needs no parsing. */
export const SUCCEEDED: Settlement = { status: "success" };

/** A settlement with all fields filled in. */
export interface ParsedSettlement extends Outcome {
  /** Reported usage; null: none. */
  readonly amounts: UsageVector | null;
  /** Reported limits, not read yet. */
  readonly reported: unknown;
  /** Number of fields that were ignored because they are invalid. */
  readonly invalid: number;
  /** False if its status cannot be read. */
  readonly isReadable: boolean;
}

const SETTLEMENT_KEYS: ReadonlySet<string> = new Set(["status", "usage", "latencyMs", "retryAfterMs", "reported"]);
const UNREADABLE: ParsedSettlement = {
  ...{ status: "cancelled", latencyMs: null, retryAfterMs: null, knownResetAt: null, amounts: null },
  ...{ reported: undefined, invalid: 1, isReadable: false },
};

/**
 * Parses any value as a settlement; a text or a number is its status. An unknown status, or an object without any known
 * field, means "cancelled". Never throws.
 */
export function parseSettlement(settlement: unknown, vocabulary: Vocabulary): ParsedSettlement {
  try {
    const isShort = typeof settlement === "string" || typeof settlement === "number";
    return parsed(isShort ? { status: settlement } : settlement, vocabulary);
  } catch {
    return UNREADABLE;
  }
}

function parsed(settlement: unknown, vocabulary: Vocabulary): ParsedSettlement {
  const fields: { readonly [key in keyof Settlement]?: unknown } = isRecord(settlement) ? settlement : {};
  const { usage, latencyMs, retryAfterMs, reported } = fields;
  const timed = isPresent(latencyMs) + isPresent(retryAfterMs);
  const present = isPresent(fields.status) + isPresent(usage) + timed + isPresent(reported);
  const isSettlement =
    isRecord(settlement) &&
    (present > 0 || isPlain(settlement)) &&
    hasOnlyKnownKeys(settlement, present, SETTLEMENT_KEYS);
  // An unreadable settlement (`{ code: 429 }`) must not count as a success.
  const isDefault = fields.status === undefined && isSettlement;
  const status: StatusClass | null = isDefault ? "success" : statusNamed(fields.status, vocabulary);
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
    reported,
    invalid,
    isReadable: status !== null,
  };
}

function isPlain(value: object): boolean {
  const proto = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}
