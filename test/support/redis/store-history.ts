// Random messages of several processes: mostly as a limiter sends them, and sometimes as nothing should send them.
import fc from "fast-check";
import type { StoreAnswer, StoreFact, StoreMessage, StoreQuota } from "../../../src/api/store.ts";

/** One step of a history: time passes, and a process sends a message. */
export interface StoreStep {
  readonly waitMs: number;
  readonly process: number;
  /** A new message, the latest one again, or the one before it again. */
  readonly turn: "next" | "same" | "older";
  readonly epoch: "known" | "none" | "other";
  readonly isNewLedger: boolean;
  readonly isLeaving: boolean;
  readonly quotas: readonly (Omit<StoreQuota, "id" | "kind" | "windowMs" | "spare"> & {
    kind: number;
    spare: number;
  })[];
  readonly quotaFrom: number;
  readonly wants: readonly { readonly needs: readonly number[]; readonly count: number }[];
  readonly facts: readonly StoreFact[];
}

const QUOTAS: readonly { readonly id: string; readonly kind: StoreQuota["kind"]; readonly windowMs: number }[] = [
  { id: "provider a sliding_window requests/2", kind: "window", windowMs: 2_000 },
  { id: 'pool "ü" {x} 100% 𝒳\ud800', kind: "window", windowMs: 60_000 },
  { id: "places", kind: "places", windowMs: 0 },
  { id: "daily+cost", kind: "fixed", windowMs: 10_000 },
];

const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 45 }) },
);
const age = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 70_000 }));
const usage = fc.tuple(
  age,
  fc.oneof({ weight: 4, arbitrary: amount }, { weight: 1, arbitrary: fc.integer({ min: -9, max: 0 }) }),
);
const rarely = (weight: number) => fc.nat({ max: weight }).map((value) => value === weight);

/** One step. */
export const storeStep: fc.Arbitrary<StoreStep> = fc.record({
  waitMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 2_500 }) },
    { weight: 1, arbitrary: fc.integer({ min: -100, max: 90_000 }) },
  ),
  process: fc.nat({ max: 23 }).map((value) => (value < 18 ? value % 4 : value)),
  turn: fc.oneof(
    { weight: 12, arbitrary: fc.constant("next" as const) },
    { weight: 1, arbitrary: fc.constantFrom("same" as const, "older" as const) },
  ),
  epoch: fc.oneof(
    { weight: 12, arbitrary: fc.constant("known" as const) },
    { weight: 1, arbitrary: fc.constantFrom("none" as const, "other" as const) },
  ),
  isNewLedger: rarely(4).map((value) => !value),
  isLeaving: rarely(12),
  quotaFrom: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
  quotas: fc.array(
    fc.record({
      kind: fc.nat({ max: 9 }),
      limit: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(10, 20, 40) },
        { weight: 1, arbitrary: fc.constantFrom(0, 1, 2 ** 46, Number.MAX_SAFE_INTEGER) },
      ),
      resetInMs: fc.integer({ min: 1, max: 12_000 }),
      held: fc.oneof({ weight: 1, arbitrary: amount }, { weight: 3, arbitrary: fc.nat({ max: 4 }) }),
      spare: fc.nat({ max: 4 }),
      used: fc.array(usage, { maxLength: 4 }),
      ahead: fc.nat({ max: 6 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  wants: fc.array(
    fc.record({ needs: fc.array(fc.nat({ max: 8 }), { minLength: 1, maxLength: 4 }), count: fc.nat({ max: 5 }) }),
    {
      maxLength: 3,
    },
  ),
  facts: fc.array(
    fc.record({
      key: fc.constantFrom("dead a", "cooldown {b}", "é"),
      value: fc.constantFrom("true", "12", '{"a":[1]}', "=%0020+ x", ""),
      revision: fc.nat({ max: 2 }),
      forMs: fc.integer({ min: 1, max: 5_000 }),
    }),
    { maxLength: 1 },
  ),
});

/** Turns steps into messages, for one store. */
export class StoreHistory {
  readonly #ledgers = new Map<number, number>();
  readonly #sent = new Map<number, StoreMessage[]>();
  readonly #epochs: string[] = [];

  message(step: StoreStep): StoreMessage {
    const sent = this.#sent.get(step.process) ?? [];
    const repeated = step.turn === "next" ? undefined : sent.at(step.turn === "same" ? -1 : -2);
    if (repeated !== undefined) return repeated;
    const ledger = (this.#ledgers.get(step.process) ?? 0) + (step.isNewLedger ? 1 : 0);
    this.#ledgers.set(step.process, ledger);
    const quotas = step.quotas.map(({ kind, spare, ...quota }, index): StoreQuota => {
      const named = QUOTAS[(index + step.quotaFrom) % QUOTAS.length]!;
      // A reset can become known while a limiter runs.
      const isFixed = named.kind === "fixed" && kind > 0;
      const stated = named.kind === "fixed" ? (isFixed ? "fixed" : "window") : named.kind;
      return {
        ...quota,
        ...named,
        kind: stated,
        resetInMs: isFixed ? quota.resetInMs : 0,
        spare: Math.min(spare, quota.held),
        used: named.kind === "places" ? [] : quota.used,
        ahead: named.kind === "places" ? 0 : quota.ahead,
      };
    });
    const message: StoreMessage = {
      process: `process ${step.process}`,
      turn: sent.length + 1,
      ledger,
      epoch: step.epoch === "none" ? null : step.epoch === "other" ? "lost" : (this.#epochs.at(-1) ?? null),
      ttlMs: 10_000,
      isLeaving: step.isLeaving,
      quotas,
      wants: step.isLeaving
        ? []
        : step.wants
            .map(({ needs, count }) => ({
              needs: needs.flatMap((need, quota) =>
                need > 0 && quota < quotas.length ? [[quota, need] as const] : [],
              ),
              count,
            }))
            .filter(({ needs, count }) => needs.length > 0 && count > 0),
      facts: step.facts,
    };
    this.#sent.set(step.process, [...sent, message]);
    return message;
  }

  /** The answer without the name of the epoch, of which each store has its own. */
  note(answer: StoreAnswer): unknown {
    if (answer.status === "stale") return answer;
    if (this.#epochs.at(-1) !== answer.epoch) this.#epochs.push(answer.epoch);
    return { ...answer, epoch: this.#epochs.length };
  }
}
