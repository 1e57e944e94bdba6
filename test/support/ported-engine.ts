// The Rust and Python engines, written from the description of their behaviour: the model of the classic profile.

export type PortedStatus = "success" | "client_error" | "rate_limited" | "forbidden" | "server_error" | "timeout";

export interface PortedProvider {
  name: string;
  quotas: readonly { dimension: "requests" | "tokens" | "bytes" | "concurrency"; limit: number; windowMs: number }[];
  cooldownSeconds: number;
}

const PENALTY = { rate_limited: 0.25, forbidden: 0.5, server_error: 0.1, timeout: 0.2 } as const;
const HALF_LIFE_MS = 300_000;

class Bucket {
  readonly capacity: number;
  readonly windowMs: number;
  #tokens: number;
  #refilledAt: number;
  #windowStart: number;
  #consumed = 0;

  constructor(capacity: number, windowMs: number, now: number) {
    this.capacity = capacity;
    this.windowMs = windowMs;
    this.#tokens = capacity;
    this.#refilledAt = now;
    this.#windowStart = now;
  }

  #refill(now: number): void {
    const added = ((now - this.#refilledAt) * this.capacity) / this.windowMs;
    if (added <= 0) return;
    this.#refilledAt = now;
    this.#tokens = Math.min(this.#tokens + added, this.capacity);
    if (now - this.#windowStart < this.windowMs) return;
    this.#consumed = 0;
    this.#windowStart = now;
  }

  record(amount: number, now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(0, this.#tokens - amount);
    this.#consumed += amount;
  }

  remaining(now: number): number {
    this.#refill(now);
    return Math.floor(this.#tokens);
  }

  burn(now: number): number {
    const elapsed = now - this.#windowStart;
    return elapsed < 1 ? 0 : this.#consumed / (elapsed / 1_000);
  }
}

/** Counted and never released. */
class Counter {
  readonly capacity: number;
  #active = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  record(amount: number): void {
    this.#active += amount;
  }

  remaining(): number {
    return Math.max(0, this.capacity - this.#active);
  }

  burn(): number {
    return 0;
  }
}

class Runtime {
  readonly config: PortedProvider;
  readonly trackers: readonly (Bucket | Counter)[];
  health = 1;
  healthAt: number;
  outcomes = 0;
  streak = 0;
  latency = 0;
  cooldownUntil = 0;

  constructor(config: PortedProvider, now: number) {
    this.config = config;
    this.healthAt = now;
    this.trackers = config.quotas.map(({ dimension, limit, windowMs }) =>
      dimension === "concurrency" ? new Counter(limit) : new Bucket(limit, windowMs, now),
    );
  }

  /**
   * The worst values over the trackers: smallest remaining ratio, nearest exhaustion in seconds, fastest burn per
   * second.
   */
  quotaState(now: number): [ratio: number, exhaustion: number, burn: number] {
    const state: [number, number, number] = [1, Number.POSITIVE_INFINITY, 0];
    for (const tracker of this.trackers) {
      const remaining = tracker.remaining(now);
      const burn = tracker.burn(now);
      state[0] = Math.min(state[0], tracker.capacity === 0 ? 0 : remaining / tracker.capacity);
      state[1] = Math.min(state[1], burn > 0 ? remaining / burn : Number.POSITIVE_INFINITY);
      state[2] = Math.max(state[2], burn);
    }
    return state;
  }
}

export interface PortedDecision {
  provider: string;
  score: number;
  quota: number;
  health: number;
  priority: number;
  latency: number;
}

export class PortedEngine {
  readonly #providers: ReadonlyMap<string, Runtime>;
  readonly #listed: readonly { provider: string; priority: number }[];

  constructor(
    providers: readonly PortedProvider[],
    listed: readonly { provider: string; priority: number }[],
    now: number,
  ) {
    this.#providers = new Map(providers.map((provider) => [provider.name, new Runtime(provider, now)]));
    this.#listed = listed;
  }

  observe(
    name: string,
    reported: { requests: number; tokens?: number | undefined; bytes?: number | undefined },
    status: PortedStatus,
    latency: number,
    now: number,
  ): void {
    const runtime = this.#providers.get(name)!;
    for (const [i, { dimension }] of runtime.config.quotas.entries()) {
      const amount =
        dimension === "tokens" ? reported.tokens : dimension === "bytes" ? reported.bytes : reported.requests;
      if (amount !== undefined && amount > 0) runtime.trackers[i]!.record(amount, now);
    }
    const elapsed = now - runtime.healthAt;
    if (elapsed > 0) runtime.health = 1 - (1 - runtime.health) * 0.5 ** (elapsed / HALF_LIFE_MS);
    runtime.healthAt = now;
    runtime.outcomes++;
    if (status === "success" || status === "client_error") {
      runtime.health = Math.min(1, runtime.health + 0.02);
      runtime.streak = 0;
      runtime.latency = runtime.outcomes === 1 ? latency : 0.3 * latency + 0.7 * runtime.latency;
      return;
    }
    runtime.health = Math.max(0, runtime.health - PENALTY[status]);
    runtime.streak++;
    if (runtime.streak < 3) return;
    const seconds = Math.min(Math.floor(runtime.config.cooldownSeconds * 2 ** (runtime.streak - 3)), 600);
    runtime.cooldownUntil = now + seconds * 1_000;
  }

  /** The ranked decisions. Empty: no provider is available. */
  select(now: number): PortedDecision[] {
    const priorities = this.#listed.map(({ priority }) => priority);
    const maxPriority = Math.max(...priorities);
    const runtimes = this.#listed.map(({ provider }) => this.#providers.get(provider));
    const maxLatency = Math.max(0, ...runtimes.map((runtime) => runtime?.latency ?? 0)) || 1;
    const ranked = this.#listed.flatMap(({ provider, priority: given }, place) => {
      const runtime = runtimes[place];
      if (runtime === undefined || now < runtime.cooldownUntil || runtime.health < 0.2) return [];
      const [ratio, exhaustion, burn] = runtime.quotaState(now);
      const soon = exhaustion < 10 ? 0.8 : exhaustion < 30 ? 0.5 : exhaustion < 60 ? 0.3 : exhaustion < 120 ? 0.1 : 0;
      const quota = Math.max(0, ratio - soon - (burn > 0 && ratio < 0.5 ? 0.1 : 0));
      const priority = maxPriority === 0 ? 0.5 : given / maxPriority;
      const latency = runtime.latency <= 0 ? 1 : Math.max(0, 1 - runtime.latency / maxLatency);
      const sum = quota * 0.4 + runtime.health * 0.35 + priority * 0.2 + latency * 0.05;
      const score = Math.max(0, Math.min(1, sum));
      return [{ provider, score, quota: ratio, health: runtime.health, priority, latency }];
    });
    return ranked.sort((a, b) => b.score - a.score);
  }

  health(name: string): number {
    return this.#providers.get(name)!.health;
  }

  inCooldown(name: string, now: number): boolean {
    return now < this.#providers.get(name)!.cooldownUntil;
  }

  /** Value of the first quota of the dimension. null: no such quota. */
  remaining(name: string, dimension: string, now: number): number | null {
    const { config, trackers } = this.#providers.get(name)!;
    const at = config.quotas.findIndex((quota) => quota.dimension === dimension);
    return at < 0 ? null : trackers[at]!.remaining(now);
  }
}
