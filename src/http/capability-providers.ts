import type { GrateLimiter } from "grate-limiter";

/** Names of the providers of a capability. Throws UnknownCapability. */
export function providersOf(limiter: Pick<GrateLimiter, "explain">, capability: string): readonly string[] {
  // A request that no provider may take is refused with a reason for each.
  const { refusal } = limiter.explain(capability, { only: [] });
  return refusal?.reasons.map(({ provider }) => provider) ?? [];
}
