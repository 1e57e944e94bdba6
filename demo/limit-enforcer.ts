import type { EnforcedLimit } from "./scenario.ts";

/** One limit as the server enforces it. Instants are in ms and never decrease. */
interface LimitEnforcer {
  /** Milliseconds until the amount fits. 0: now. */
  waitMs(amount: number, now: number): number;
  count(amount: number, now: number): void;
  /** Remaining amount, after `waitMs` at the same instant. */
  remaining(): number;
  /** Text of a reset header; null: the server states none. */
  reset(now: number): string | null;
}

/** A counter that each window resets; `phaseMs` is the instant of the first reset, which no client knows. */
class FixedWindow implements LimitEnforcer {
  readonly #limit: number;
  readonly #windowMs: number;
  #resetAt: number;
  #used = 0;

  constructor(limit: number, windowMs: number, phaseMs: number, now: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#resetAt = now + phaseMs;
  }

  waitMs(amount: number, now: number): number {
    if (now >= this.#resetAt) {
      this.#used = 0;
      this.#resetAt += Math.ceil((now - this.#resetAt + 1e-9) / this.#windowMs) * this.#windowMs;
    }
    return this.#used + amount <= this.#limit ? 0 : this.#resetAt - now;
  }

  count(amount: number): void {
    this.#used += amount;
  }

  remaining(): number {
    return this.#limit - this.#used;
  }

  /** Seconds until the window ends. */
  reset(now: number): string {
    return ((this.#resetAt - now) / 1_000).toFixed(3);
  }
}

/** A list of all requests of the last window. */
class SlidingLog implements LimitEnforcer {
  readonly #limit: number;
  readonly #windowMs: number;
  #log: { readonly at: number; readonly amount: number }[] = [];

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  waitMs(amount: number, now: number): number {
    this.#log = this.#log.filter(({ at }) => at > now - this.#windowMs);
    let used = this.#log.reduce((sum, entry) => sum + entry.amount, 0);
    if (used + amount <= this.#limit) return 0;
    for (const entry of this.#log) {
      used -= entry.amount;
      if (used + amount <= this.#limit) return entry.at + this.#windowMs - now;
    }
    return Number.POSITIVE_INFINITY;
  }

  count(amount: number, now: number): void {
    this.#log.push({ at: now, amount });
  }

  remaining(): number {
    return this.#limit - this.#log.reduce((sum, entry) => sum + entry.amount, 0);
  }

  reset(): null {
    return null;
  }
}

/** A bucket that starts full and refills evenly. */
class TokenBucket implements LimitEnforcer {
  readonly #limit: number;
  readonly #refillPerMs: number;
  #level: number;
  #at: number;

  constructor(limit: number, windowMs: number, now: number) {
    this.#limit = limit;
    this.#refillPerMs = limit / windowMs;
    this.#level = limit;
    this.#at = now;
  }

  waitMs(amount: number, now: number): number {
    this.#level = Math.min(this.#limit, this.#level + (now - this.#at) * this.#refillPerMs);
    this.#at = now;
    return amount <= this.#level ? 0 : (amount - this.#level) / this.#refillPerMs;
  }

  count(amount: number): void {
    this.#level -= amount;
  }

  remaining(): number {
    return Math.floor(this.#level);
  }

  /** Time until the bucket is full, with its unit. */
  reset(): string {
    return `${Math.ceil((this.#limit - this.#level) / this.#refillPerMs)}ms`;
  }
}

/** All limits of one server: a request that fits them all is counted in all, any other in none. */
export class Gate {
  readonly #limits: readonly { readonly limit: EnforcedLimit; readonly enforcer: LimitEnforcer }[];

  /** Starts empty at `now`; `random` chooses the phases of the fixed windows. */
  constructor(limits: readonly EnforcedLimit[], random: () => number, now: number) {
    this.#limits = limits.map((limit) => ({ limit, enforcer: enforcerOf(limit, random() * limit.windowMs, now) }));
  }

  /** Admits and counts the request. 0: admitted. Otherwise milliseconds until it would fit. */
  admit(tokens: number, now: number): number {
    const amountOf = ({ dimension }: EnforcedLimit) => (dimension === "requests" ? 1 : tokens);
    const waitMs = Math.max(...this.#limits.map(({ limit, enforcer }) => enforcer.waitMs(amountOf(limit), now)));
    if (waitMs > 0) return waitMs;
    for (const { limit, enforcer } of this.#limits) enforcer.count(amountOf(limit), now);
    return 0;
  }

  /** Headers about all limits, as of the latest `admit`. */
  headers(now: number): { [name: string]: string } {
    const headers: { [name: string]: string } = {};
    for (const { limit, enforcer } of this.#limits) {
      const of = (part: string) => `x-ratelimit-${part}-${limit.dimension}`;
      headers[of("limit")] = String(limit.limit);
      headers[of("remaining")] = String(enforcer.remaining());
      const reset = enforcer.reset(now);
      if (reset !== null) headers[of("reset")] = reset;
    }
    return headers;
  }
}

function enforcerOf({ algorithm, limit, windowMs }: EnforcedLimit, phaseMs: number, now: number): LimitEnforcer {
  switch (algorithm) {
    case "fixed window":
      return new FixedWindow(limit, windowMs, phaseMs, now);
    case "sliding log":
      return new SlidingLog(limit, windowMs);
    case "token bucket":
      return new TokenBucket(limit, windowMs, now);
  }
}
