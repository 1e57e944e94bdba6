// provisional
import type { AgedAmount } from "./usage-log.ts";
export interface SentQuota {
  readonly id: string;
  readonly kind: "window" | "bucket" | "fixed" | "places";
  readonly limit: number;
  readonly windowMs: number;
  readonly resetsInMs: readonly number[];
  readonly held: number;
  readonly spare: number;
  readonly used: readonly AgedAmount[];
  readonly ahead: number;
}
export interface SentWant {
  readonly needs: { readonly [id: string]: number };
  readonly count: number;
}
export interface SentMessage {
  readonly process: string;
  readonly turn: number;
  readonly ledger: number;
  readonly epoch: string | null;
  readonly ttlMs: number;
  readonly isLeaving: boolean;
  readonly quotas: readonly SentQuota[];
  readonly wants: readonly SentWant[];
  readonly news: readonly unknown[];
}
export type StoreAnswer =
  | { readonly status: "stale" }
  | { readonly status: "rebuild"; readonly epoch: string }
  | {
      readonly status: "ok";
      readonly epoch: string;
      readonly processes: number;
      readonly othersWait: boolean;
      readonly quotas: readonly { readonly granted: number; readonly used: number; readonly held: number }[];
      readonly served: readonly number[];
      readonly retryInMs: number | null;
      readonly news: readonly unknown[];
    };
