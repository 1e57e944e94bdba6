import type { FixtureQuota } from "../typescript/fixture.ts";

const WINDOW_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Tokens beyond which the Rust crate overflows 64 bits, because it counts millionths of a token. */
const MAX_RUST_TOKENS = 1.8e13;

/** Unit in which the Rust crate counts tokens; it truncates every refill to this unit. */
const RUST_GRAIN = 1e-6;

/** Seconds to exhaustion at which the quota part of the score changes. */
const EXHAUSTION_STEPS = [10, 30, 60, 120];

/** Remaining ratio below which a quota with a burn rate gets a further penalty. */
const BURNING_RATIO = 0.5;

/**
 * Token bucket of the published engines without any rounding. It shows how close the engines were to a different answer.
 * Levels are whole numbers of tokens x window in ms.
 */
export class ExactBucket {
  /** True if the Rust crate overflowed 64 bits here. */
  isBeyond64Bits = false;
  /** True if a refill that is too small for the Rust crate ended a burn window. */
  #restartedUnseen = false;
  readonly #limit: number;
  readonly #windowMs: number;
  #level: bigint;
  #inexactRefills = 0;
  #refilledAt: number;
  #consumed = 0;
  #startedAt: number;

  constructor(quota: FixtureQuota, now: number) {
    this.#limit = quota.limit;
    this.#windowMs = WINDOW_MS[(quota.window ?? "minute") as keyof typeof WINDOW_MS];
    this.#level = this.#full;
    this.#refilledAt = now;
    this.#startedAt = now;
  }

  /** Refills the bucket; the engines do so before every read and every write. */
  refill(now: number): void {
    const elapsed = now - this.#refilledAt;
    if (elapsed <= 0 || this.#limit === 0) return;
    if (this.#limit * Math.max(1, elapsed / this.#windowMs) > MAX_RUST_TOKENS) this.isBeyond64Bits = true;
    const added = BigInt(elapsed) * BigInt(this.#limit);
    const level = this.#level + added;
    if (!this.#isExact(added)) this.#inexactRefills++;
    // A bucket that is full even with the largest rounding error is full in every engine.
    if (this.#tokens(level - this.#full) > this.#maxError) this.#inexactRefills = 0;
    this.#level = level < this.#full ? level : this.#full;
    this.#refilledAt = now;
    if (now - this.#startedAt < this.#windowMs) return;
    this.#consumed = 0;
    this.#startedAt = now;
    if ((elapsed * this.#limit) / this.#windowMs < RUST_GRAIN) this.#restartedUnseen = true;
  }

  record(amount: number, now: number): void {
    if (amount <= 0) return;
    this.refill(now);
    const level = this.#level - BigInt(amount) * BigInt(this.#windowMs);
    if (this.#tokens(-level) > this.#maxError) this.#inexactRefills = 0;
    this.#level = level > 0n ? level : 0n;
    this.#consumed += amount;
  }

  /** True if one engine might count one more whole token than the other: Python sums doubles, Rust truncates to millionths. */
  get isNearWhole(): boolean {
    if (this.#restartedUnseen) return true;
    const above = this.#tokens(this.#level % BigInt(this.#windowMs));
    return this.#inexactRefills > 0 && Math.min(above, 1 - above) <= this.#maxError;
  }

  /** True if a change of a value by this share can move it over a threshold of the score. */
  isNearThreshold(now: number, share: number): boolean {
    if (this.#limit === 0) return false;
    const tokens = Math.floor(this.#tokens(this.#level));
    const seconds = (now - this.#startedAt) / 1_000;
    const burn = seconds < 0.001 ? 0 : this.#consumed / seconds;
    if (burn <= 0) return false;
    const isNear = (value: number, threshold: number) => Math.abs(value - threshold) <= share * threshold;
    return isNear(tokens / this.#limit, BURNING_RATIO) || EXHAUSTION_STEPS.some((step) => isNear(tokens / burn, step));
  }

  /** Largest possible difference between the engines, in tokens. */
  get #maxError(): number {
    return this.#inexactRefills * (RUST_GRAIN + this.#limit * Number.EPSILON);
  }

  /** True if neither engine rounds this refill: it is a whole number of millionths, and exact as a double. */
  #isExact(added: bigint): boolean {
    const window = BigInt(this.#windowMs);
    let denominator = window / greatestCommonDivisor(added, window);
    while (denominator % 2n === 0n) denominator /= 2n;
    return denominator === 1n && (added * 1_000_000n) % window === 0n;
  }

  #tokens(level: bigint): number {
    return Number(level) / this.#windowMs;
  }

  get #full(): bigint {
    return BigInt(this.#limit) * BigInt(this.#windowMs);
  }
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}
