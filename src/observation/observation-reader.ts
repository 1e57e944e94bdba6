import type { Observation } from "../api/observation.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Outcome } from "../health/health.ts";
import { UNSPECIFIED, type UsageVector, unspecifiedUsage } from "../quota/usage-vector.ts";
import { isRecord, Problems } from "../validation/problems.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";
import { observationCheck } from "./observation-check.ts";
import { hasOnlyKnownKeys, isPresent, readDuration, readUsage, statusNamed } from "./outcome-fields.ts";

const OBSERVATION_KEYS: ReadonlySet<string> = new Set(["provider", "capability", "usage", "outcome"]);
const OUTCOME_KEYS: ReadonlySet<string> = new Set(["status", "latencyMs", "retryAfterMs"]);

/** Reads one observation after the other into its own fields, so that reading allocates no memory. */
export class ObservationReader implements Outcome {
  status: StatusClass = "success";
  latencyMs: number | null = null;
  retryAfterMs: number | null = null;
  readonly knownResetAt = null;
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
    if (status === null || this.invalid > 0) {
      const problems = new Problems(this.#vocabulary);
      observationCheck(observation, problems);
      problems.throwIfAny();
    }
    const { latencyMs, retryAfterMs } = observation.outcome;
    this.status = status!;
    this.latencyMs = this.#duration(latencyMs, Number.MAX_VALUE);
    this.retryAfterMs = this.#duration(retryAfterMs, Infinity);
  }

  #duration(value: unknown, max: number): number | null {
    const duration = readDuration(value, max);
    if (duration === undefined) this.invalid++;
    return duration ?? null;
  }
}

/** True if the observation has the required fields, and no unknown ones. */
function isWellShaped(observation: Observation): boolean {
  if (!isRecord(observation) || !isRecord(observation.outcome)) return false;
  const { provider, usage, capability, outcome } = observation;
  const { latencyMs, retryAfterMs } = outcome;
  return (
    typeof provider === "string" &&
    provider !== "" &&
    hasOnlyKnownKeys(observation, 2 + isPresent(usage) + isPresent(capability), OBSERVATION_KEYS) &&
    hasOnlyKnownKeys(outcome, 1 + isPresent(latencyMs) + isPresent(retryAfterMs), OUTCOME_KEYS)
  );
}
