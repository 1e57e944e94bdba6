// Limits of each fairness key by itself.
//
//   a key has one set of quotas for all capabilities, and one for each capability that declares limits of its own
//
// Regimes: the quotas of a key are created when it first asks, and dropped when nothing of them is counted or reserved and no
// lease of the key is open. Each new key lets two old ones be checked, so that unused ones disappear. Waiters hold no reference
// to the quotas of their key: each evaluation looks them up.

import type { KeyLimitsConfig } from "../api/provider-config.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Profile } from "../profile/profile.ts";
import type { Quota } from "../quota/quota.ts";
import { type QuotaSpec, quotaSpecs } from "../quota/quota-spec.ts";
import { type Demand, SIZE_DIMENSIONS } from "../quota/usage-vector.ts";

const CHECKED_PER_KEY = 2;

/** A part of the wait queue that waits for limits of its key. */
export interface KeyHolder {
  readonly priority: number;
  /** Order of arrival of its first waiter. */
  readonly order: number;
  /** Called when one of the limits has changed. */
  free(): void;
}

/** Quotas of one key. */
class Scope {
  readonly quotas: readonly Quota[];
  /** The holders that wait, and true for those that lack these quotas. */
  readonly holders: Map<KeyHolder, boolean> = new Map();

  constructor(quotas: readonly Quota[]) {
    this.quotas = quotas;
    for (const quota of quotas) quota.dependents.push(this);
  }

  invalidate(): void {
    for (const holder of [...this.holders.keys()]) holder.free();
  }
}

/** Everything that is kept of one key. */
interface KeyEntry {
  /** Number of open leases. */
  leases: number;
  readonly shared: Scope;
  readonly byCapability: Map<string, KeyQuotas>;
}

/** Limits of one key for the calls of one capability. */
export class KeyQuotas {
  readonly quotas: readonly Quota[];
  readonly #entry: KeyEntry;
  readonly #scopes: readonly Scope[];
  readonly #profile: Profile;

  constructor(entry: KeyEntry, scopes: readonly Scope[], profile: Profile) {
    this.#entry = entry;
    this.#scopes = scopes;
    this.#profile = profile;
    this.quotas = scopes.flatMap(({ quotas }) => quotas);
  }

  /** A lease reserves the quotas. `leaseEnded` must follow. */
  leaseGranted(): void {
    this.#entry.leases++;
  }

  leaseEnded(): void {
    this.#entry.leases--;
  }

  /** True if the key can take the demand, and no waiter ahead of `position` waits for its limits. */
  isOpenFor(demand: Demand, position: Omit<KeyHolder, "free">, now: number): boolean {
    for (const { holders } of this.#scopes) {
      for (const [holder, isShort] of holders) {
        if (isShort && (position.priority - holder.priority || holder.order - position.order) < 0) return false;
      }
    }
    return this.#profile.waitMs(this.quotas, demand, now, false) === 0;
  }

  /** Keeps the limits that lack capacity for one of the demands until the holder is freed. */
  addHolder(holder: KeyHolder, demands: readonly Demand[], now: number): void {
    for (const { quotas, holders } of this.#scopes) {
      const isShort = demands.some((demand) => this.#profile.waitMs(quotas, demand, now, false) !== 0);
      holders.set(holder, isShort);
    }
  }

  /** The holder waits no longer. Those behind it might be able to go on. */
  removeHolder(holder: KeyHolder): void {
    for (const scope of this.#scopes) if (scope.holders.delete(holder)) scope.invalidate();
  }
}

/** The limits of all keys of one limiter. */
export class KeyLimits {
  /** True if a limit counts amounts that depend on the size of a request. */
  readonly hasSizes: boolean;
  readonly #profile: Profile;
  readonly #time: EngineTime;
  readonly #shared: readonly QuotaSpec[];
  readonly #byCapability: ReadonlyMap<string, readonly QuotaSpec[]>;
  readonly #entries = new Map<string, KeyEntry>();

  /** `config` must be valid. */
  constructor(config: KeyLimitsConfig, profile: Profile, time: EngineTime) {
    this.#profile = profile;
    this.#time = time;
    const specs = ({ quotas, ...limits }: KeyLimitsConfig) =>
      quotaSpecs(limits, quotas, profile.vocabulary.windowByDefault);
    const { capabilities = {}, ...shared } = config;
    this.#shared = specs(shared);
    this.#byCapability = new Map(Object.entries(capabilities).map(([name, limits]) => [name, specs(limits ?? {})]));
    const all = [this.#shared, ...this.#byCapability.values()].flat();
    this.hasSizes = all.some(({ index }) => SIZE_DIMENSIONS.includes(index));
  }

  /** Number of keys that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** The limits of a key; null: nothing limits such a call. */
  of(key: string | undefined, capability: string, now: number): KeyQuotas | null {
    if (key === undefined) return null;
    const specs = this.#byCapability.get(capability);
    if (this.#shared.length === 0 && specs === undefined) return null;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#dropIdle(now);
      entry = { leases: 0, shared: this.#scope(key, this.#shared, now), byCapability: new Map() };
      this.#entries.set(key, entry);
    }
    // Capabilities without limits of their own have the same quotas.
    const name = specs === undefined ? "" : capability;
    let quotas = entry.byCapability.get(name);
    if (quotas === undefined) {
      const own = specs === undefined ? [] : [this.#scope(key, specs, now)];
      quotas = new KeyQuotas(entry, [entry.shared, ...own], this.#profile);
      entry.byCapability.set(name, quotas);
    }
    return quotas;
  }

  #scope(key: string, specs: readonly QuotaSpec[], now: number): Scope {
    const quotas = specs.map((spec) => {
      const quota = this.#profile.createQuota(spec, null, this.#time, now);
      quota.fairnessKey = key;
      return quota;
    });
    return new Scope(quotas);
  }

  /** Checks the keys that were checked longest ago. */
  #dropIdle(now: number): void {
    for (const [key, entry] of [...firstOf(this.#entries, CHECKED_PER_KEY)]) {
      this.#entries.delete(key);
      if (!isIdle(entry, now)) this.#entries.set(key, entry);
    }
  }
}

function* firstOf<T>(all: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const each of all) {
    if (left-- === 0) return;
    yield each;
  }
}

function isIdle({ leases, shared, byCapability }: KeyEntry, now: number): boolean {
  if (leases > 0 || shared.holders.size > 0) return false;
  const quotas = [...byCapability.values()].flatMap((each) => each.quotas);
  return quotas.every(({ tracker, reserved }) => reserved === 0 && tracker.used(now) === 0);
}
