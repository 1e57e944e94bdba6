// Usage of one process in one quota: what the store has still to be told, and the last window for a store that lost it.
//
//   an amount at t joins the newest entry if t - first < window / RESOLUTION, else it opens a new one
//   an entry ends at its latest instant, so that it is never forgotten too early
//
// Regimes: corrections go to the entry of their instant; an amount that is forgotten already needs none. At most
// RESOLUTION + 2 entries of one window are kept. Amounts that were not sent yet are kept for as long as that takes, but
// nothing that is older than a window.

import type { StoreUsage } from "../api/store.ts";

const RESOLUTION = 512;

/** An amount and the instant (ms) of its latest part. */
interface Entry {
  at: number;
  openedAt: number;
  amount: number;
}

/** Amounts by instant, the oldest first. */
class Entries {
  sum = 0;
  #entries: Entry[] = [];
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Adds an amount. `least`: the least that an entry can be; -Infinity for corrections that are to be sent. */
  add(amount: number, at: number, least: number): void {
    const entries = this.#entries;
    const newest = entries.at(-1);
    if (newest === undefined || at > newest.at) {
      if (newest !== undefined && at - newest.openedAt < this.#windowMs / RESOLUTION) {
        newest.at = at;
        this.#change(newest, amount, least);
      } else if (amount > 0 || least < 0) {
        entries.push({ at, openedAt: at, amount });
        this.sum += amount;
      }
      return;
    }
    let first = 0;
    for (let end = entries.length; first < end; ) {
      const middle = (first + end) >> 1;
      if (entries[middle]!.at < at) first = middle + 1;
      else end = middle;
    }
    const entry = entries[first]!;
    // An older amount that is sent later has an entry of its own.
    if (least < 0 && entry.openedAt > at) {
      entries.splice(first, 0, { at, openedAt: at, amount });
      this.sum += amount;
    } else this.#change(entry, amount, least);
  }

  #change(entry: Entry, amount: number, least: number): void {
    const changed = Math.max(least, entry.amount + amount);
    this.sum += changed - entry.amount;
    entry.amount = changed;
  }

  forget(now: number): void {
    const horizon = now - this.#windowMs;
    let old = 0;
    for (; old < this.#entries.length && this.#entries[old]!.at <= horizon; old++) {
      this.sum -= this.#entries[old]!.amount;
    }
    if (old > 0) this.#entries.splice(0, old);
  }

  take(): readonly Entry[] {
    const taken = this.#entries;
    this.#entries = [];
    this.sum = 0;
    return taken.filter(({ amount }) => amount !== 0);
  }

  aged(now: number): StoreUsage[] {
    return agedEntries(this.#entries, now);
  }
}

function agedEntries(entries: readonly Entry[], now: number): StoreUsage[] {
  return entries.flatMap(({ at, amount }) =>
    amount === 0 ? [] : [[Math.max(0, Math.floor(now - at)), amount] as const],
  );
}

/** The usage of one quota. */
export class UsageLog {
  /** How long an amount counts (ms). */
  readonly windowMs: number;
  readonly #window: Entries;
  readonly #pending: Entries;
  /** Usage of the exchange that is on its way or has to be repeated. */
  #sending: readonly Entry[] = [];

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.#window = new Entries(windowMs);
    this.#pending = new Entries(windowMs);
  }

  /** Counts usage at `at`, or corrects it by a negative amount. */
  add(amount: number, at: number): void {
    this.#window.add(amount, at, 0);
    this.#pending.add(amount, at, -Infinity);
  }

  /** Usage that is in no batch yet, so that it is still held. At least 0, because a correction gives nothing back yet. */
  get pending(): number {
    return Math.max(0, this.#pending.sum);
  }

  /** Usage of the last window. */
  used(now: number): number {
    this.#window.forget(now);
    return this.#window.sum;
  }

  hasPending(now: number): boolean {
    this.#pending.forget(now);
    return this.#pending.sum !== 0;
  }

  /** Makes everything that is pending the next batch. */
  seal(now: number): void {
    this.#pending.forget(now);
    this.#sending = this.#pending.take();
  }

  /** The batch, as it is sent at `now`. */
  batch(now: number): StoreUsage[] {
    return agedEntries(this.#sending, now);
  }

  /** The store has counted the batch. */
  confirm(): void {
    this.#sending = [];
  }

  /** Makes the whole last window the next batch, because the store has lost it. */
  restart(now: number): void {
    this.#window.forget(now);
    this.#pending.take();
    this.#sending = [];
    for (const [ageMs, amount] of this.#window.aged(now)) this.#pending.add(amount, now - ageMs, -Infinity);
  }
}
