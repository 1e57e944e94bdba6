import type { Observation } from "../api/observation.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Outcome } from "../health/health.ts";
import { UNSPECIFIED, type UsageVector, unspecifiedUsage } from "../quota/usage-vector.ts";
import { isRecord, Problems } from "../validation/problems.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";
import { observationCheck } from "./observation-check.ts";
import { hasOnlyKnownKeys, readDuration, readUsage, statusNamed } from "./outcome-fields.ts";

const OBSERVATION_KEYS: ReadonlySet<string> = new Set(["provider", "capability", "usage", "outcome"]);
const OUTCOME_KEYS: ReadonlySet<string> = new Set(["status", "latencyMs", "retryAfterMs", "reported"]);

/** Reads one observation after the other into its own fields, so that reading allocates no memory. */
export class ObservationReader implements Outcome {
  status: StatusClass = "success";
  latencyMs: number | null = null;
  retryAfterMs: number | null = null;
  readonly knownResetAt = null;
  /** Reported limits, not read yet. */
  reported: unknown;
  readonly amounts: UsageVector = unspecifiedUsage();
  /** Number of amounts and durations that were ignored because they are invalid. */
  invalid = 0;
  readonly #vocabulary: Vocabulary;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** Reads an observation. Throws InvalidConfig only if it has no valid provider or status, or has unknown keys. */
  read(observation: Observation): void {
    const { amounts } = this;
    for (let i = 0; i < amounts.length; i++) amounts[i] = UNSPECIFIED;
    const isShaped = isWellShaped(observation);
    const status = isShaped ? statusNamed(observation.outcome.status, this.#vocabulary) : null;
    const usage = isShaped ? observation.usage : undefined;
    this.invalid = usage === undefined ? 0 : readUsage(usage, amounts);
    // The full check takes a hundred times as long, and nearly every observation is valid.
    this.reported = isShaped ? observation.outcome.reported : undefined;
    const isForeign = this.reported !== undefined && this.#vocabulary.without.includes("reported");
    if (status === null || this.invalid > 0 || isForeign) {
      const problems = new Problems(this.#vocabulary);
      observationCheck(observation, problems);
      problems.throwIfAny();
    }
    const { latencyMs, retryAfterMs } = observation.outcome;
    const latency = latencyMs === undefined ? null : readDuration(latencyMs, Number.MAX_VALUE);
    const retryAfter = retryAfterMs === undefined ? null : readDuration(retryAfterMs, Infinity);
    if (latency === undefined) this.invalid++;
    if (retryAfter === undefined) this.invalid++;
    this.status = status!;
    this.latencyMs = latency ?? null;
    this.retryAfterMs = retryAfter ?? null;
  }
}

/** True if the observation has the required fields, and no unknown ones. */
function isWellShaped(observation: Observation): boolean {
  if (!isRecord(observation) || !isRecord(observation.outcome) || "headers" in observation.outcome) {
    return false;
  }
  const { provider, usage, capability, outcome } = observation;
  const { latencyMs, retryAfterMs, reported } = outcome;
  const given = 2 + (usage === undefined ? 0 : 1) + (capability === undefined ? 0 : 1);
  const givenOfOutcome =
    1 + (latencyMs === undefined ? 0 : 1) + (retryAfterMs === undefined ? 0 : 1) + (reported === undefined ? 0 : 1);
  return (
    typeof provider === "string" &&
    provider !== "" &&
    hasOnlyKnownKeys(observation, given, OBSERVATION_KEYS) &&
    hasOnlyKnownKeys(outcome, givenOfOutcome, OUTCOME_KEYS)
  );
}
