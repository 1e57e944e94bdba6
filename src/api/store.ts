// What a store does, for engines other than those of the package. All amounts and times are whole numbers; times are in
// milliseconds. No message contains an instant: each host has a clock of its own, so that only ages and delays are sent.

/** An amount that was used some time ago. A negative one corrects what was sent before. */
export type StoreUsage = readonly [ageMs: number, amount: number];

/** One quota, as one process sees it. */
export interface StoreQuota {
  /** Name that is equal in all processes. */
  readonly id: string;
  /**
   * "window": usage counts for `windowMs`. "fixed": it counts until the next reset. "places": there is no usage, what is held
   * is in flight.
   */
  readonly kind: "window" | "fixed" | "places";
  /** Most that all processes together can use and hold, at least 0. Processes of different versions can state different ones. */
  readonly limit: number;
  /** Length of the window, or of the period between two resets; 0 for places. */
  readonly windowMs: number;
  /** Time until the next reset, above 0; 0 unless the kind is "fixed". */
  readonly resetInMs: number;
  /** All that the process holds: in flight, spare, and used without having been sent; without the batch in `used`. */
  readonly held: number;
  /** Part of `held` that is not in use. */
  readonly spare: number;
  /** Usage of the batch with the number `ledger`. */
  readonly used: readonly StoreUsage[];
  /** Amount that the process would like to have beside its wants; 0 for places. */
  readonly ahead: number;
}

/** Equal calls that wait one behind the other. */
export interface StoreWant {
  /** Amounts of one call, by index in `quotas`. It is served in all of them or in none. */
  readonly needs: readonly (readonly [quota: number, amount: number])[];
  /** Number of calls. */
  readonly count: number;
}

/** A fact about a provider that all processes share. */
export interface StoreFact {
  readonly key: string;
  readonly value: string;
  /** A fact replaces one of a lower revision. Of two with one revision, the one that holds for longer remains. */
  readonly revision: number;
  /** Time for which it holds, above 0. */
  readonly forMs: number;
}

/** What a process states in one exchange. All of it is absolute: a message that is lost is healed by the next one. */
export interface StoreMessage {
  /** Random name of the process. */
  readonly process: string;
  /** Number of the message, from 1, growing with each attempt. An older one than the latest is answered "stale". */
  readonly turn: number;
  /** Number of the batch of usage, from 1. A repeated message has the same number and the same usage, which counts once. */
  readonly ledger: number;
  /** State of the store that the process knows; null: it joins. */
  readonly epoch: string | null;
  /** Silence after which the process is dead. The store waits for a second longer. */
  readonly ttlMs: number;
  /** True if it holds nothing and wants nothing, so that the store forgets it after this message. */
  readonly isLeaving: boolean;
  /** All quotas of the group in use. The process holds nothing of others. */
  readonly quotas: readonly StoreQuota[];
  /** Calls that wait, in order; at most 32, for at most 64 calls. */
  readonly wants: readonly StoreWant[];
  readonly facts: readonly StoreFact[];
}

/** One quota after the exchange. */
export interface StoreQuotaAnswer {
  /** Amount that the process holds beside what it stated: for its wants beyond its spare amount, and ahead. */
  readonly granted: number;
  /** Usage that counts, of all processes. */
  readonly used: number;
  /** Amount that all processes hold, this one included. */
  readonly held: number;
}

/**
 * - "stale": the message was overtaken by a newer one. Nothing has changed.
 * - "rebuild": the store has lost its state. Nothing has changed; the process states its usage of the last window again.
 * - "ok": everything was accepted.
 */
export type StoreAnswer =
  | { readonly status: "stale" }
  | { readonly status: "rebuild"; readonly epoch: string }
  | {
      readonly status: "ok";
      readonly epoch: string;
      /** Number of processes, this one included. */
      readonly processes: number;
      /** True if calls of other processes wait. */
      readonly othersWait: boolean;
      /** Number of the latest batch that the store had counted before this message; null: it did not know the process. */
      readonly knownLedger: number | null;
      /** In the order of the message. */
      readonly quotas: readonly StoreQuotaAnswer[];
      /** Number of calls served of each want. */
      readonly served: readonly number[];
      /** Time after which the first call that was not served should ask again, at least 10; 0: all were served. */
      readonly retryInMs: number;
      /** All facts that hold. */
      readonly facts: readonly StoreFact[];
    };

/**
 * Engine of a store. `exchange` is one atomic step of a group: providers that pools connect. It is called with a new message
 * until an answer has come in time, so that a step that runs late, twice or out of order does no harm.
 */
export interface StoreContract {
  /** Time after which an exchange has failed; default 500. */
  readonly timeoutMs?: number | undefined;
  exchange(group: string, message: StoreMessage): Promise<StoreAnswer>;
  /** Calls `changed` when something was returned to the group while calls wait; returns its cancel. Optional. */
  watch?(group: string, changed: () => void): () => void;
}
