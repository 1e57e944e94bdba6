import type { SelectOptions } from "../api/run-options.ts";
import { UnknownCapability, UnknownProvider } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import { type Check, meantOf } from "../validation/problems.ts";
import { validate } from "../validation/schemas.ts";
import type { SelectionContext } from "./selection-context.ts";

/** Capability of a call, after a check of the call's options. Throws InvalidConfig, UnknownCapability. */
export function requestedCapability(
  check: Check,
  name: string,
  options: SelectOptions | undefined,
  { registry, profile, counters }: SelectionContext,
): Capability {
  if (options !== undefined) validate(check, options, profile.vocabulary);
  const capability = registry.capabilities.get(name);
  if (capability !== undefined) return capability;
  profile.miscalls.unknownCapability(counters);
  throw new UnknownCapability(name, meantOf(name, registry.capabilities.keys()));
}

/** Provider of an observation. Throws UnknownProvider, which the profile counts. */
export function observedProvider({ registry, profile, counters }: SelectionContext, name: string): Provider {
  const provider = registry.providers.get(name);
  if (provider === undefined) profile.miscalls.unknownProvider(counters);
  return provider ?? requireProvider(registry, name);
}

/** Provider of that name. Throws UnknownProvider. */
export function requireProvider({ providers }: Registry, name: string): Provider {
  const provider = providers.get(name);
  if (provider === undefined) throw new UnknownProvider(name, meantOf(name, providers.keys()));
  return provider;
}
