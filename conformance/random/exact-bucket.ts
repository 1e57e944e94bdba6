import type { FixtureQuota } from "../typescript/fixture.ts";

const WINDOW_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Millionths of a token beyond which the Rust crate runs out of 64 bits, in tokens. */
const MOST_TOKENS = 1.8e13;

/** What the Rust crate counts tokens in, and cuts every refill to. */
const RUST_GRAIN = 1e-6;

/** The seconds to exhaustion at which the quota part changes. */
const EXHAUSTION_STEPS = [10, 30, 60, 120];

/** The ratio below which a burning quota loses a little more. */
const BURNING_RATIO = 0.5;

/**
 * A token bucket of the published engines without any rounding, to tell how near they were to answering otherwise.
 * Levels are whole numbers of tokens x window in ms.
 */
export class ExactBucket {
  /** The Rust crate ran out of 64 bits here. */
  isBeyond64Bits = false;
  /** A refill too small for the Rust crate ended a burn window. */
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

  /** Every read and every write refills first. */
  refill(now: number): void {
    const elapsed = now - this.#refilledAt;
    if (elapsed <= 0 || this.#limit === 0) return;
    if (this.#limit * Math.max(1, elapsed / this.#windowMs) > MOST_TOKENS) this.isBeyond64Bits = true;
    const added = BigInt(elapsed) * BigInt(this.#limit);
    const level = this.#level + added;
    if (!this.#isExact(added)) this.#inexactRefills++;
    // Where it is full in spite of all rounding, it is so in every engine.
    if (this.#tokens(level - this.#full) > this.#doubt) this.#inexactRefills = 0;
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
    if (this.#tokens(-level) > this.#doubt) this.#inexactRefills = 0;
    this.#level = level > 0n ? level : 0n;
    this.#consumed += amount;
  }

  /** The engines may differ in whether the last token is whole: one sums doubles, the other cuts to millionths. */
  get isNearWhole(): boolean {
    if (this.#restartedUnseen) return true;
    const above = this.#tokens(this.#level % BigInt(this.#windowMs));
    return this.#inexactRefills > 0 && Math.min(above, 1 - above) <= this.#doubt;
  }

  /** Its part of the score changes within so small a share of what it is now. */
  isNearThreshold(now: number, share: number): boolean {
    if (this.#limit === 0) return false;
    const tokens = Math.floor(this.#tokens(this.#level));
    const seconds = (now - this.#startedAt) / 1_000;
    const burn = seconds < 0.001 ? 0 : this.#consumed / seconds;
    if (burn <= 0) return false;
    const isNear = (value: number, threshold: number) => Math.abs(value - threshold) <= share * threshold;
    return isNear(tokens / this.#limit, BURNING_RATIO) || EXHAUSTION_STEPS.some((step) => isNear(tokens / burn, step));
  }

  /** The tokens by which the engines may be apart. */
  get #doubt(): number {
    return this.#inexactRefills * (RUST_GRAIN + this.#limit * Number.EPSILON);
  }

  /** A refill of which neither engine loses anything: whole millionths, and no more places than a double has. */
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
