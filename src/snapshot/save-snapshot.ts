import type { LimiterSnapshot, ProviderSnapshot, SizeSnapshot } from "../api/snapshot.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";

/** State of all providers, pools and learned sizes at `now`. */
export function saveSnapshot(registry: Registry, time: EngineTime, now: number): LimiterSnapshot {
  const epoch = time.epochAt(now);
  // The real clocks count whole milliseconds, so that the time between two readings can be 1 ms less than it seems.
  const savedAt = time.isReal ? epoch + 1 : epoch;
  return {
    version: 1,
    savedAt: Number.isFinite(savedAt) ? savedAt : null,
    providers: fromEntries(registry.providers, (provider) => saveProvider(provider, now)),
    pools: fromEntries(registry.pools, ({ quotas }) => quotas.map((quota) => quota.save(now))),
    sizes: fromEntries(registry.capabilities, (capability) => saveSizes(capability, now)),
  };
}

function saveProvider({ health, ramp, ownQuotas }: Provider, now: number): ProviderSnapshot {
  return { health: health.save!(now), ramp: ramp.save(now), quotas: ownQuotas.map((quota) => quota.save(now)) };
}

function saveSizes({ sizes }: Capability, now: number): { [provider: string]: SizeSnapshot } {
  return fromEntries(sizes, (size) => size.save(now));
}

/** Own properties whatever the names are, "__proto__" included. */
function fromEntries<T, R>(map: ReadonlyMap<string, T>, save: (value: T) => R): { [name: string]: R } {
  return Object.fromEntries([...map].map(([name, value]) => [name, save(value)]));
}
