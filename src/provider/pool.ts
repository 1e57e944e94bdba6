import type { Quota } from "../quota/quota.ts";

/** Quotas that several providers draw from together. */
export interface Pool {
  readonly name: string;
  quotas: readonly Quota[];
}
