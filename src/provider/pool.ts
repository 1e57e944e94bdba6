import type { LiveQuota } from "../forecast/live-quota.ts";

/** Quotas that several providers draw from together. */
export interface Pool {
  readonly name: string;
  quotas: readonly LiveQuota[];
}
