/** The situations that the operations must cover. */
export const SITUATIONS = ["waiting", "refusal", "cooldown", "trial", "after expiry", "reconfiguration"] as const;
export type Situation = (typeof SITUATIONS)[number];

/**
 * Shares of situations among the operations of the anticipatory profile.
 *
 * - waiting: an `acquire`, `run`, `stream` or `map` that did not get its first lease immediately.
 * - refusal: a request was refused, whether it had waited or not.
 * - after expiry: a call of a lease that had expired or ended.
 * - reconfiguration: a change of the configuration, or the call of a lease or the end of a waiter that was open at one.
 * - cooldown, trial: a provider was in that state. The state is known only after `inspect()`, which would hide mistakes if
 *   it were called after each operation. The denominator is therefore the operations after which it is called; these are
 *   drawn at random.
 */
export class Shares {
  operations = 0;
  inspections = 0;
  readonly #counts = new Map<Situation, number>();

  count(situation: Situation): void {
    this.#counts.set(situation, (this.#counts.get(situation) ?? 0) + 1);
  }

  /** 0 to 1. */
  of(situation: Situation): number {
    const isSampled = situation === "cooldown" || situation === "trial";
    return (this.#counts.get(situation) ?? 0) / (isSampled ? this.inspections : this.operations);
  }
}
