// The rules of leases in their simplest form: every grant with its time, its headers and its end, and exact lists of
// the counted amounts. The model is slow and shares no code with the source.
import type { StatusClass } from "../../src/index.ts";

export const DIMENSIONS = ["requests", "tokens", "concurrency"] as const;
export type ModelDimension = (typeof DIMENSIONS)[number];
export type Demand = { readonly [dimension in ModelDimension]: number };

const RESOLUTION = 512;
const LONGEST_LATE_MS = 1_000;
export const LONGEST_COOLDOWN_MS = 5_000;
const LONGEST_ASKED_MS = 48 * 3_600_000;
const GIVES_BACK: readonly StatusClass[] = ["rate_limited", "quota_exhausted", "unauthorized", "forbidden"];
const ABANDONED: readonly StatusClass[] = ["timeout", "cancelled"];

interface Entry {
  first: number;
  last: number;
  amount: number;
}

/** The amount of one request in one quota. */
interface Part {
  amount: number;
  /** Instant at which the amount started to count. NaN: in flight. */
  stamp: number;
  entry: Entry | null;
}

export class ModelQuota {
  readonly dimension: ModelDimension;
  readonly windowMs: number | null;
  limit: number;
  /** The ring by its documented rule. */
  entries: Entry[] = [];
  /** The same ring without merged entries. */
  readonly parts: Set<Part> = new Set();

  constructor(dimension: ModelDimension, windowMs: number | null, limit: number) {
    this.dimension = dimension;
    this.windowMs = windowMs;
    this.limit = limit;
  }

  inFlight(): number {
    let sum = 0;
    for (const { amount, stamp } of this.parts) if (Number.isNaN(stamp)) sum += amount;
    return sum;
  }

  used(now: number): number {
    const { windowMs } = this;
    if (windowMs === null) return 0;
    this.entries = this.entries.filter(({ last }) => last > now - windowMs);
    return this.entries.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** The certain count of a window that ends now, and the maximum that the resolution allows. */
  bounds(now: number): [least: number, most: number] {
    let [least, most] = [0, 0];
    for (const { amount, stamp } of this.parts) {
      const age = now - stamp;
      if (age < this.windowMs!) least += amount;
      if (age < this.windowMs! * (1 + 1 / RESOLUTION)) most += amount;
    }
    return [least, most];
  }

  count(part: Part, stamp: number): void {
    part.stamp = stamp;
    if (part.amount === 0) return;
    const newest = this.entries.at(-1);
    if (newest !== undefined && stamp - newest.first < this.windowMs! / RESOLUTION) {
      newest.last = stamp;
      newest.amount += part.amount;
      part.entry = newest;
    } else {
      part.entry = { first: stamp, last: stamp, amount: part.amount };
      this.entries.push(part.entry);
    }
  }

  /** Replaces the amount of a request, in flight or counted. */
  correct(part: Part, amount: number, now: number): void {
    // An amount as old as the window is over, even if an entry still contains it with younger ones.
    if (part.stamp <= now - (this.windowMs ?? 0)) return;
    if (part.entry !== null) part.entry.amount += amount - part.amount;
    part.amount = amount;
    if (part.entry === null && !Number.isNaN(part.stamp)) this.count(part, part.stamp);
  }

  hasRoom(amount: number, now: number): boolean {
    return amount === 0 || this.used(now) + this.inFlight() + amount <= this.limit;
  }
}

export class ModelProvider {
  readonly name: string;
  readonly firstCooldownMs: number;
  paused = false;
  dead = false;
  cooldownUntil = Number.NEGATIVE_INFINITY;
  #cooldownSince = Number.NEGATIVE_INFINITY;
  #failedTrials = 0;
  /** Largest number of requests in flight during a ramp after rate limits. Infinity: no such ramp. */
  width = Number.POSITIVE_INFINITY;
  #peak = 0;
  #widthSuccesses = 0;
  #latencyMs = Number.NaN;
  /** Number of rate limits that started a cooldown, and the instants of the latest one and of the latest change of the width. */
  limits = 0;
  limitedAt = Number.NEGATIVE_INFINITY;
  changedAt = Number.NEGATIVE_INFINITY;
  trialDue = false;
  rampFrom = Number.NEGATIVE_INFINITY;
  /** Latest instant until which a ramp at half the rate, evenly spread, can delay the next lease. */
  rampUntil = Number.NEGATIVE_INFINITY;
  own: ModelQuota[] = [];
  pools: { quotas: ModelQuota[] }[] = [];

  constructor(name: string, firstCooldownMs: number) {
    this.name = name;
    this.firstCooldownMs = firstCooldownMs;
  }

  get quotas(): ModelQuota[] {
    return [...this.own, ...this.pools.flatMap((pool) => pool.quotas)];
  }

  /** True during the ramp of a provider with a rate: two steps of 5 s, or of a twelfth of its longest window. */
  isRampedAt(now: number): boolean {
    const windows = this.quotas.flatMap(({ windowMs, limit }) =>
      windowMs !== null && windowMs <= 3_600_000 && limit > 0 ? windowMs : [],
    );
    return now < this.rampFrom + Math.min(10_000, Math.max(...windows) / 6);
  }

  /** Time after which a trial hangs, so that another one begins. */
  get hungAfterMs(): number {
    return Math.max(5_000, 5 * (this.#latencyMs || 0));
  }

  /** True while a trial or a ramp can refuse a request that has capacity. */
  isGatedAt(now: number): boolean {
    return this.trialDue || this.isRampedAt(now) || this.width < Number.POSITIVE_INFINITY;
  }

  /** `inFlight`: requests of the provider in flight, this one included. `latencyMs`: null without a lease. */
  learn(
    status: StatusClass,
    retryAfterMs: number,
    grantedAt: number,
    latencyMs: number | null,
    inFlight: number,
    now: number,
  ): void {
    if (status === "cancelled" || status === "client_error") return;
    if (status === "unauthorized") {
      this.dead = true;
      return;
    }
    const isOld = grantedAt <= this.#cooldownSince || now < this.cooldownUntil;
    if (status === "success") {
      const before = this.#latencyMs;
      if (latencyMs !== null) {
        // A single latency counts for at most a minute, or for little more than four times the mean.
        const isFirst = Number.isNaN(before);
        const next = 0.7 * before + 0.3 * Math.min(latencyMs, 4 * before + 1_000);
        this.#latencyMs = isFirst ? Math.min(latencyMs, 60_000) : next;
      }
      if (isOld) return;
      if (this.trialDue) {
        this.rampFrom = now;
        this.rampUntil = now;
      }
      this.trialDue = false;
      this.#failedTrials = 0;
      if (++this.#widthSuccesses >= this.width) this.#setWidth(2 * this.width, now);
      return;
    }
    const asked = Math.min(retryAfterMs, LONGEST_ASKED_MS);
    const isRunning = now < this.cooldownUntil;
    if (isOld) {
      if (asked === 0 || now + asked <= this.cooldownUntil) return;
      this.#coolDown(asked, now);
      if (status === "rate_limited" && !isRunning) this.#narrow(inFlight, now);
      return;
    }
    if (this.trialDue) this.#failedTrials++;
    else if (asked === 0 && status !== "quota_exhausted") return;
    const windows = this.quotas.map(({ windowMs }) => windowMs ?? Number.POSITIVE_INFINITY);
    let first = this.firstCooldownMs;
    if (status === "rate_limited") first = Math.min(first, ...windows);
    if (status === "rate_limited" && this.width < Number.POSITIVE_INFINITY && !Number.isNaN(this.#latencyMs)) {
      first = Math.min(first, Math.max(100, this.#latencyMs));
    }
    if (status === "quota_exhausted") first = 60_000;
    this.#coolDown(asked > 0 ? asked : Math.min(LONGEST_COOLDOWN_MS, first * 2 ** this.#failedTrials), now);
    if (status === "rate_limited") this.#narrow(inFlight, now);
  }

  revive(): void {
    this.dead = false;
    this.trialDue = false;
    this.cooldownUntil = Number.NEGATIVE_INFINITY;
    this.#cooldownSince = Number.NEGATIVE_INFINITY;
    this.#failedTrials = 0;
    this.rampFrom = Number.NEGATIVE_INFINITY;
    this.width = Number.POSITIVE_INFINITY;
  }

  #coolDown(ms: number, now: number): void {
    this.cooldownUntil = now + ms;
    this.#cooldownSince = now;
    this.trialDue = true;
    this.rampFrom = Number.NEGATIVE_INFINITY;
  }

  /** Starts the ramp by requests in flight, or halves its width. */
  #narrow(inFlight: number, now: number): void {
    this.limits++;
    this.limitedAt = now;
    this.changedAt = now;
    const hasRate = this.quotas.some(({ dimension, windowMs, limit }) => {
      return dimension === "requests" && windowMs !== null && windowMs <= 3_600_000 && limit > 0;
    });
    if (hasRate || (this.width === Number.POSITIVE_INFINITY && inFlight === 1)) return;
    const isRamped = this.width < Number.POSITIVE_INFINITY;
    if (!isRamped) this.#peak = inFlight;
    this.#setWidth(isRamped ? Math.max(1, Math.floor(this.width / 2)) : 1, now);
  }

  #setWidth(width: number, now: number): void {
    this.changedAt = now;
    this.#widthSuccesses = 0;
    this.width = width >= this.#peak && width > 1 ? Number.POSITIVE_INFINITY : width;
  }
}

export class ModelLease {
  readonly provider: ModelProvider;
  readonly grantedAt: number;
  readonly expiresAt: number;
  readonly parts: Map<ModelQuota, Part> = new Map();
  needs: { [dimension in ModelDimension]: number };
  reported = false;
  hasHeaders = false;
  /** Instant at which the lease started to count. NaN: in flight. */
  stampedAt = Number.NaN;
  stampDueAt: number;
  endedAt = Number.POSITIVE_INFINITY;
  freeAt = Number.POSITIVE_INFINITY;
  expired = false;
  readonly trialEndsAt: number;
  /** `limits` of the provider at the grant. */
  readonly limits: number;

  constructor(
    provider: ModelProvider,
    needs: Demand,
    now: number,
    skewCapMs: number,
    timeoutMs: number,
    ofKey: readonly ModelQuota[],
  ) {
    this.provider = provider;
    this.needs = { ...needs };
    this.grantedAt = now;
    this.expiresAt = now + timeoutMs;
    this.stampDueAt = now + skewCapMs;
    this.trialEndsAt = now + Math.min(timeoutMs, provider.hungAfterMs);
    this.limits = provider.limits;
    for (const quota of [...provider.quotas, ...ofKey]) this.hold(quota);
  }

  get isOpen(): boolean {
    return this.endedAt === Number.POSITIVE_INFINITY;
  }

  hold(quota: ModelQuota): Part {
    const part: Part = { amount: this.needs[quota.dimension], stamp: Number.NaN, entry: null };
    this.parts.set(quota, part);
    quota.parts.add(part);
    return part;
  }
}

export class Model {
  readonly skewCapMs: number;
  readonly leases: ModelLease[] = [];
  readonly providers: Map<string, ModelProvider> = new Map();
  expired = 0;
  readonly #keyQuotas: () => ModelQuota[];
  readonly #keys = new Map<string, readonly ModelQuota[]>();

  constructor(skewCapMs: number, keyQuotas: () => ModelQuota[]) {
    this.skewCapMs = skewCapMs;
    this.#keyQuotas = keyQuotas;
  }

  /** The limits of a key, which are kept for ever. */
  quotasOf(key: string | undefined): readonly ModelQuota[] {
    if (key === undefined) return [];
    const quotas = this.#keys.get(key) ?? this.#keyQuotas();
    this.#keys.set(key, quotas);
    return quotas;
  }

  /** Applies everything that is due, in order of instant, and grants of one instant in their order. */
  read(now: number): void {
    for (;;) {
      let next: { lease: ModelLease; at: number } | null = null;
      for (const lease of this.leases) {
        const at = Math.min(
          Number.isNaN(lease.stampedAt) ? lease.stampDueAt : Number.POSITIVE_INFINITY,
          lease.isOpen ? lease.expiresAt : Number.POSITIVE_INFINITY,
          lease.freeAt,
        );
        if (at <= now && (next === null || at < next.at)) next = { lease, at };
      }
      if (next === null) return;
      const { lease, at } = next;
      if (Number.isNaN(lease.stampedAt) && lease.stampDueAt <= at) this.#stamp(lease, at);
      if (lease.isOpen && lease.expiresAt <= at) {
        lease.expired = true;
        this.expired++;
        this.#abandon(lease, at);
      }
      if (lease.freeAt <= at) this.#free(lease);
    }
  }

  grant(
    provider: ModelProvider,
    needs: Demand,
    now: number,
    timeoutMs: number,
    ofKey: readonly ModelQuota[],
  ): ModelLease {
    const lease = new ModelLease(provider, needs, now, this.skewCapMs, timeoutMs, ofKey);
    const spacingMs = this.#rampSpacingMs(provider);
    if (spacingMs > 0) provider.rampUntil = Math.max(provider.rampUntil, now) + spacingMs * needs.requests;
    this.leases.push(lease);
    return lease;
  }

  headers(lease: ModelLease, now: number): void {
    if (!lease.isOpen) return;
    lease.hasHeaders = true;
    if (Number.isNaN(lease.stampedAt)) this.#stamp(lease, now);
  }

  tell(lease: ModelLease, tokens: number | undefined, now: number): void {
    if (lease.isOpen && tokens !== undefined) this.#correct(lease, "tokens", tokens, now);
  }

  settle(lease: ModelLease, status: StatusClass, tokens: number | undefined, retryAfterMs: number, now: number): void {
    if (!lease.isOpen) return;
    if (GIVES_BACK.includes(status)) this.#correct(lease, "tokens", 0, now);
    else this.tell(lease, tokens, now);
    if (ABANDONED.includes(status)) this.#abandon(lease, now);
    else {
      if (Number.isNaN(lease.stampedAt)) this.#stamp(lease, now);
      lease.endedAt = now;
      this.#free(lease);
    }
    if (this.providers.get(lease.provider.name) !== lease.provider) return;
    const { provider, grantedAt } = lease;
    provider.learn(status, retryAfterMs, grantedAt, now - grantedAt, this.#inFlight(provider) + 1, now);
  }

  release(lease: ModelLease, now: number): void {
    if (!lease.isOpen) return;
    if (lease.hasHeaders) {
      this.#abandon(lease, now);
      return;
    }
    lease.endedAt = now;
    if (Number.isNaN(lease.stampedAt)) {
      for (const [quota, part] of lease.parts) {
        if (quota.windowMs === null) continue;
        quota.parts.delete(part);
        lease.parts.delete(quota);
      }
      lease.stampedAt = now;
    }
    this.#free(lease);
  }

  observe(
    provider: ModelProvider,
    status: StatusClass,
    requests: number,
    tokens: number,
    retryAfterMs: number,
    now: number,
  ): void {
    for (const quota of provider.quotas) {
      if (quota.windowMs === null) continue;
      const part = { amount: quota.dimension === "requests" ? requests : tokens, stamp: now, entry: null };
      quota.parts.add(part);
      quota.count(part, now);
    }
    provider.learn(status, retryAfterMs, now, null, this.#inFlight(provider) + 1, now);
  }

  /** The leases that still reserve amounts of that provider. */
  heldBy(provider: ModelProvider): ModelLease[] {
    return this.leases.filter(
      (lease) =>
        lease.provider === provider &&
        (lease.isOpen || lease.freeAt < Number.POSITIVE_INFINITY || Number.isNaN(lease.stampedAt)),
    );
  }

  #inFlight(provider: ModelProvider, limits = 0): number {
    return this.leases.filter(
      (lease) =>
        lease.provider === provider &&
        lease.limits >= limits &&
        (lease.isOpen || lease.freeAt < Number.POSITIVE_INFINITY),
    ).length;
  }

  /** True if the ramp by requests in flight admits no further one. */
  #isNarrow(provider: ModelProvider, now: number): boolean {
    const isLongAgo = now >= provider.limitedAt + 5_000;
    const counted = this.#inFlight(provider, isLongAgo ? provider.limits : 0);
    return counted >= provider.width + Math.floor((now - provider.changedAt) / 5_000);
  }

  trialIsTaken(provider: ModelProvider, now: number): boolean {
    return (
      provider.trialDue &&
      this.leases.some(
        (lease) =>
          lease.provider === provider &&
          lease.isOpen &&
          lease.grantedAt >= provider.cooldownUntil &&
          now < lease.trialEndsAt,
      )
    );
  }

  /** The reasons against the provider: capacity and recovery, without the queue. Empty: none. "ramp": possible only. */
  obstacles(name: string, needs: Demand, now: number, ofKey: readonly ModelQuota[] = []): string[] {
    const provider = this.providers.get(name);
    if (provider === undefined) return ["not_registered"];
    const found: string[] = [];
    if (provider.dead) found.push("dead");
    if (provider.paused) found.push("paused");
    if (now < provider.cooldownUntil) found.push("cooldown");
    if (!provider.dead && now >= provider.cooldownUntil && this.trialIsTaken(provider, now)) found.push("trial");
    if (!provider.trialDue && this.#isNarrow(provider, now)) found.push("trial");
    if (this.mayRamp(provider, now)) found.push("ramp");
    for (const quota of [...provider.quotas, ...ofKey]) {
      const need = needs[quota.dimension];
      if (need > quota.limit) found.push("too_large");
      else if (!quota.hasRoom(need, now)) found.push(quota.dimension === "concurrency" ? "concurrency" : "quota");
    }
    return found;
  }

  /** True if half (or three quarters) of the rate of the shortest requests quota can delay a lease now. */
  mayRamp(provider: ModelProvider, now: number): boolean {
    return provider.isRampedAt(now) && now < provider.rampUntil && this.#rampSpacingMs(provider) > 0;
  }

  /** Time between requests at half the rate. 0: no such rate. */
  #rampSpacingMs(provider: ModelProvider): number {
    const quotas = provider.quotas.filter(
      ({ dimension, windowMs }) => dimension === "requests" && windowMs! <= 3_600_000,
    );
    const shortest = Math.min(...quotas.map(({ windowMs }) => windowMs!));
    const limits = quotas.filter(({ windowMs, limit }) => windowMs === shortest && limit > 0).map(({ limit }) => limit);
    return limits.length === 0 ? 0 : (2 * shortest) / Math.min(...limits);
  }

  #stamp(lease: ModelLease, at: number): void {
    lease.stampedAt = at;
    for (const [quota, part] of lease.parts) if (quota.windowMs !== null) quota.count(part, at);
  }

  #abandon(lease: ModelLease, now: number): void {
    lease.endedAt = now;
    if (this.skewCapMs === Number.POSITIVE_INFINITY)
      lease.stampDueAt = Math.max(now, lease.grantedAt + LONGEST_LATE_MS);
    lease.freeAt = now + Math.min(this.skewCapMs, LONGEST_LATE_MS);
    this.read(now);
  }

  #free(lease: ModelLease): void {
    lease.freeAt = Number.POSITIVE_INFINITY;
    for (const [quota, part] of lease.parts) {
      if (quota.windowMs !== null) continue;
      quota.parts.delete(part);
      lease.parts.delete(quota);
    }
  }

  #correct(lease: ModelLease, dimension: ModelDimension, amount: number, now: number): void {
    lease.needs[dimension] = amount;
    for (const [quota, part] of lease.parts) if (quota.dimension === dimension) quota.correct(part, amount, now);
  }
}
