// The random scripts that a limiter and the model of leases execute together.
import type { Lease, QuotaConfig, StatusClass } from "../../src/index.ts";
import { type Demand, type ModelDimension, ModelQuota } from "./lease-model.ts";

export interface QuotaShape {
  readonly dimension: ModelDimension;
  readonly limit: number;
  readonly seconds: number;
}

export interface RequestedAmounts {
  readonly capability: "chat" | "mail" | "solo";
  readonly requests: number;
  readonly tokens: number;
  readonly exclude: readonly string[];
}

export type Step =
  | { readonly do: "advance" | "back"; readonly ms: number }
  | ({ readonly do: "tryAcquire" } & RequestedAmounts)
  | ({
      readonly do: "acquire";
      readonly maxWaitMs: number;
      readonly priority: number;
      readonly fairnessKey: string | undefined;
    } & RequestedAmounts)
  | { readonly do: "headers" | "release" | "dispose" | "abort"; readonly which: number }
  | { readonly do: "report"; readonly which: number; readonly tokens: number }
  | {
      readonly do: "settle";
      readonly which: number;
      readonly status: StatusClass;
      readonly tokens: number | undefined;
      readonly retryAfterMs: number;
    }
  | {
      readonly do: "observe";
      readonly name: string;
      readonly status: StatusClass;
      readonly tokens: number;
      readonly retryAfterMs: number;
    }
  | { readonly do: "upsert"; readonly name: string; readonly shapes: readonly QuotaShape[] }
  | { readonly do: "limits"; readonly name: string; readonly limit: number; readonly paused: boolean }
  | { readonly do: "pool"; readonly limit: number }
  | { readonly do: "remove" | "revive"; readonly name: string };

export interface Scenario {
  readonly skewCapMs: number;
  readonly leaseTimeoutMs: number;
  readonly maxWaiting: number;
  readonly pool: readonly QuotaShape[];
  readonly a: readonly QuotaShape[];
  readonly b: readonly QuotaShape[];
  /** Limits of each fairness key; default none. */
  readonly key?: readonly QuotaShape[];
}

/** The providers of each capability. */
export const LISTED = { chat: ["a", "b"], mail: ["b"], solo: ["a"] } as const;
export const FIRST_COOLDOWN_MS = 2_000;

export interface Waiter {
  readonly wish: RequestedAmounts;
  readonly needs: Demand;
  readonly priority: number;
  readonly fairnessKey: string | undefined;
  readonly order: number;
  readonly deadline: number;
  readonly controller: AbortController;
  lease: Lease | null;
  error: unknown;
  isGone: boolean;
}

export const needsOf = ({ requests, tokens }: RequestedAmounts): Demand => ({ requests, tokens, concurrency: 1 });
export const quotasOf = (shapes: readonly QuotaShape[]): QuotaConfig[] =>
  shapes.map(({ dimension, limit, seconds }) =>
    dimension === "concurrency" ? { dimension, limit } : { dimension, limit, window: { seconds } },
  );
export const modelQuota = ({ dimension, limit, seconds }: QuotaShape) =>
  new ModelQuota(dimension, dimension === "concurrency" ? null : seconds * 1_000, limit);
