import type { Dimension, StatusClass, Window } from "grate-limiter";

/**
 * One scenario of the shared format, as `fixture.schema.json` describes it. Times are in ms, amounts are whole numbers. A
 * scenario for traces has no expectations.
 */
export interface Fixture {
  readonly name: string;
  readonly description?: string;
  readonly profile?: readonly ("classic" | "anticipatory")[];
  readonly differs?: { readonly [language in "python" | "rust"]?: string };
  readonly config?: FixtureConfig;
  readonly providers?: readonly FixtureProvider[];
  readonly capabilities?: readonly FixtureCapability[];
  readonly steps: readonly Step[];
}

export interface FixtureConfig {
  readonly scoring?: { readonly [part in "quota" | "health" | "priority" | "latency"]?: number };
  readonly health?: { readonly [option: string]: number };
  readonly minimum_health_score?: number;
  readonly default_cooldown_seconds?: number;
}

export interface FixtureProvider {
  readonly name: string;
  readonly quotas?: readonly FixtureQuota[];
  readonly priority?: number;
  readonly weight?: number;
  readonly cooldown_seconds?: number;
}

export interface FixtureQuota {
  readonly dimension: Dimension;
  readonly limit: number;
  readonly window?: Window | null;
}

export interface FixtureCapability {
  readonly name: string;
  readonly providers: readonly { readonly provider: string; readonly priority: number }[];
}

export type Step =
  | { readonly action: "advance_time_ms"; readonly ms: number }
  | ObserveStep
  | SelectStep
  | {
      readonly action: "check_health";
      readonly provider: string;
      readonly expect?: number | null;
      readonly expect_min?: number;
      readonly expect_max?: number;
    }
  | {
      readonly action: "check_remaining";
      readonly provider: string;
      readonly dimension: Dimension;
      readonly expect?: number | null;
    }
  | { readonly action: "check_in_cooldown"; readonly provider: string; readonly expect?: boolean | null }
  | { readonly action: "check_metrics"; readonly expect?: { readonly [name: string]: number } }
  | ({ readonly action: "upsert_provider" } & FixtureProvider)
  | ({ readonly action: "upsert_capability" } & FixtureCapability)
  | { readonly action: "probe" };

export interface ObserveStep {
  readonly action: "observe";
  readonly provider: string;
  readonly capability?: string;
  readonly requests?: number;
  readonly tokens?: number;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly bytes?: number;
  readonly cost_micro_usd?: number;
  readonly status: StatusClass;
  readonly latency_ms?: number;
  readonly expect_error?: string;
}

export interface SelectStep {
  readonly action: "select";
  readonly capability: string;
  readonly expect_error?: string;
  readonly expect_provider?: string;
  readonly expect_score?: number;
  readonly expect_score_min?: number;
  readonly expect_score_max?: number;
  readonly expect_alternatives_count?: number;
  readonly expect_alternatives?: readonly { readonly provider: string; readonly score?: number }[];
  readonly expect_breakdown?: { readonly [part in "quota" | "health" | "priority" | "latency"]?: number };
}

/** Answer of an engine to one step. All runners write the same format. */
export type Answer =
  | null
  | number
  | boolean
  | { readonly error?: string }
  | SelectAnswer
  | readonly ProviderProbe[]
  | { readonly [counter: string]: number };

export interface SelectAnswer {
  readonly provider: string;
  readonly score: number;
  /** quota, health, priority, latency */
  readonly breakdown: readonly number[];
  readonly alternatives: readonly (readonly [provider: string, score: number])[];
}

export interface ProviderProbe {
  readonly provider: string;
  readonly health: number | null;
  readonly in_cooldown: boolean | null;
  readonly remaining: { readonly [dimension: string]: number | null };
}
