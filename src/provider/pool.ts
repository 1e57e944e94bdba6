import type { Quota } from "../quota/quota.ts";

/** Quotas that several providers share. */
export interface Pool {
  readonly name: string;
  quotas: readonly Quota[];
}
