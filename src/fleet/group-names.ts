import type { Provider } from "../provider/provider.ts";
import type { Quota } from "../quota/quota.ts";

/** Providers that pools connect, directly or through others. */
export interface GroupMembers {
  /** Name that is equal in all processes that declare the same providers and pools. */
  readonly name: string;
  readonly providers: readonly Provider[];
}

/** Divides providers into groups: the smallest sets of which no two share a pool. */
export function groupsOf(providers: Iterable<Provider>): GroupMembers[] {
  const ofPool = new Map<string, Set<Provider>>();
  const groups = new Set<Set<Provider>>();
  for (const provider of providers) {
    const group = new Set([provider]);
    groups.add(group);
    for (const { name } of provider.pools) {
      const others = ofPool.get(name);
      if (others !== undefined && others !== group) {
        for (const other of others) group.add(other);
        groups.delete(others);
      }
      for (const member of group) for (const pool of member.pools) ofPool.set(pool.name, group);
    }
  }
  return [...groups].map((members) => {
    const pools = [...members].flatMap((member) => member.pools.map(({ name }) => name));
    const name = pools.length > 0 ? `pool ${least(pools)}` : `provider ${least([...members].map((one) => one.name))}`;
    return { name, providers: [...members] };
  });
}

/** The quotas of a group with their names, which are equal in all processes. */
export function* quotasOf({ providers }: GroupMembers): Generator<readonly [id: string, quota: Quota]> {
  const pools = new Map(providers.flatMap(({ pools }) => pools.map((pool) => [pool.name, pool.quotas] as const)));
  for (const { name, ownQuotas } of providers) yield* named(`provider ${name}`, ownQuotas);
  for (const [name, quotas] of pools) yield* named(`pool ${name}`, quotas);
}

function* named(owner: string, quotas: readonly Quota[]): Generator<readonly [id: string, quota: Quota]> {
  const counts = new Map<string, number>();
  for (const quota of quotas) {
    const { key, strategy } = quota.spec;
    const id = `${owner} ${strategy} ${key}`;
    const count = counts.get(id) ?? 0;
    counts.set(id, count + 1);
    yield [count === 0 ? id : `${id} ${count}`, quota];
  }
}

function least(names: readonly string[]): string {
  return names.reduce((a, b) => (a < b ? a : b));
}
