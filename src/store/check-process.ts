import type { StoreAnswer, StoreContract, StoreMessage, StoreQuota } from "../api/store.ts";

/** A store that is checked, and its time. */
export interface CheckedStore {
  readonly store: StoreContract;
  /** Milliseconds of a clock as fast as the store's. */
  now(): number;
  /** Lets time pass: waits, or moves a clock of the test. */
  passMs(ms: number): Promise<void>;
}

/** Accepted answer of a store. */
export type Accepted = Extract<StoreAnswer, { status: "ok" }>;

/** A process as the checks of a store use it: it sends messages with growing turns, and knows the epoch. */
export class CheckProcess {
  readonly id: string;
  readonly #store: StoreContract;
  readonly #group: string;
  epoch: string | null = null;
  turn = 0;
  /** The latest message. */
  last: StoreMessage | null = null;

  constructor(store: StoreContract, group: string, id: string) {
    this.#store = store;
    this.#group = group;
    this.id = id;
  }

  /** Sends a message that may be answered with any status. */
  async send(part: Partial<StoreMessage> = {}): Promise<StoreAnswer> {
    this.turn++;
    this.last = {
      process: this.id,
      turn: this.turn,
      ledger: this.turn,
      epoch: this.epoch,
      ttlMs: 60_000,
      isLeaving: false,
      quotas: [],
      wants: [],
      facts: [],
      ...part,
    };
    const answer = await this.#store.exchange(this.#group, this.last);
    if (answer.status !== "stale") this.epoch = answer.epoch;
    return answer;
  }

  /** Sends a message that has to be accepted. */
  async accepted(part: Partial<StoreMessage> = {}): Promise<Accepted> {
    const answer = await this.send(part);
    if (answer.status !== "ok") throw new Error(`expected the status "ok", got "${answer.status}"`);
    return answer;
  }

  /** Sends `message` as it is. */
  repeat(message: StoreMessage): Promise<StoreAnswer> {
    return this.#store.exchange(this.#group, message);
  }
}

/** A window of 10 amounts a minute, or what `part` says. */
export function windowQuota(part: Partial<StoreQuota> = {}): StoreQuota {
  const basic = { id: "window", kind: "window", limit: 10, windowMs: 60_000, resetInMs: 0 } as const;
  return { ...basic, held: 0, spare: 0, used: [], ahead: 0, ...part };
}

/** Ten places, or what `part` says. */
export function placesQuota(part: Partial<StoreQuota> = {}): StoreQuota {
  return windowQuota({ id: "places", kind: "places", windowMs: 0, ...part });
}

/** `count` calls that need these amounts, in the order of the quotas. */
export function calls(count: number, ...amounts: readonly number[]): StoreMessage["wants"] {
  const needs = amounts.flatMap((amount, quota) => (amount > 0 ? [[quota, amount] as const] : []));
  return [{ needs, count }];
}

/** Throws unless two values have the same JSON. */
export function same(actual: unknown, expected: unknown, name: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`${name}: expected ${wanted}, got ${got}`);
}
