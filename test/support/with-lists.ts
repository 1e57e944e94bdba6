import type { CapabilityProvider, GrateLimiter } from "../../src/index.ts";

/** Declares capabilities. Their lists can name providers that are not registered, which the constructor rejects. */
export function withLists(
  limiter: GrateLimiter,
  lists: { readonly [capability: string]: readonly CapabilityProvider[] },
): GrateLimiter {
  for (const [name, providers] of Object.entries(lists)) limiter.upsertCapability({ name, providers });
  return limiter;
}
