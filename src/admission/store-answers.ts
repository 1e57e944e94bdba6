// Calls that wait for the first answer of a store, whatever their patience is.
//
//   a call that lacks only its part of a shared limit waits until the store has answered or is down, if its own deadline
//   comes earlier; then it is refused

import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { LeaseContext } from "./lease-context.ts";
import type { Waiter } from "./waiter.ts";

/** The calls of one limiter of which the deadline was put off. */
export class StoreAnswers {
  readonly #context: LeaseContext;
  readonly #parts: SelectionContext;
  readonly #patience = new Map<Waiter, number>();

  constructor(context: LeaseContext, parts: SelectionContext) {
    this.#context = context;
    this.#parts = parts;
  }

  /** When such a call gives up at the latest. */
  deadlineOf(capability: Capability, request: RequestSpec, deadline: number, now: number): number {
    const { fleet } = this.#context;
    if (fleet === null || !this.#isAwaited(capability, request, now)) return deadline;
    return Math.max(deadline, now + fleet.answerMs);
  }

  /** The call waits although its own patience ends at that instant. */
  add(waiter: Waiter, patienceEnd: number): void {
    if (patienceEnd < waiter.deadline) this.#patience.set(waiter, patienceEnd);
  }

  delete(waiter: Waiter): void {
    this.#patience.delete(waiter);
  }

  /** Returns the calls of which the patience is over and the answer has come. */
  answered(now: number): Waiter[] {
    const { capabilities } = this.#parts.registry;
    return [...this.#patience].flatMap(([waiter, patienceEnd]) => {
      const capability = capabilities.get(waiter.capability);
      const isOver = patienceEnd <= now && !(capability && this.#isAwaited(capability, waiter.request, now));
      return isOver ? waiter : [];
    });
  }

  /** True if one of the providers might have room, which only the store knows. */
  #isAwaited(capability: Capability, request: RequestSpec, now: number): boolean {
    const { registry, profile, minimumHealth } = this.#parts;
    return registry.listed(capability).some((entry) => {
      const { name, provider } = entry;
      if (provider === null || request.excludes(name)) return false;
      const state = provider.state(now, minimumHealth);
      if (provider.trialGate?.isAwaited && state === "trial") return true;
      if (state === "dead" || state === "paused" || state === "cooldown" || state === "unhealthy") return false;
      return Number.isNaN(profile.earliestFit(provider.quotas, request.demandOn(capability, entry, true), now));
    });
  }
}
