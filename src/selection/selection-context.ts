import type { ScoringStrategy } from "../api/scoring-strategy.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { Profile } from "../profile/profile.ts";
import type { KeyLimits } from "../provider/key-limits.ts";
import type { Registry } from "../provider/registry.ts";
import type { WeightedScorer } from "../scoring/weighted-scorer.ts";

/** Parts of a limiter that a selection uses. */
export interface SelectionContext {
  readonly registry: Registry;
  /** null: keys have no limits of their own. */
  readonly keyLimits: KeyLimits | null;
  readonly profile: Profile;
  readonly strategy: ScoringStrategy;
  /** The strategy if its score depends on the four score parts and the weight alone; else null. */
  readonly weighted: WeightedScorer | null;
  /** Upper limit of every score. */
  readonly scoreCap: number;
  readonly minimumHealth: number;
  readonly counters: Counters;
  readonly events: Events;
}
