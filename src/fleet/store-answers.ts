// Calls that wait for the first answer of a store, whatever their patience is.
//
//   a call that lacks only its part of a shared limit waits until the store has answered or is down, if its own deadline
//   comes earlier; then it is refused

import type { Capability } from "../provider/capability.ts";
import { earliestFit } from "../quota/availability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { FleetHost, FleetWaiter } from "./fleet-link.ts";

/** The calls of one limiter of which the deadline was put off. */
export class StoreAnswers {
  readonly #host: FleetHost;
  readonly #answerMs: number;
  readonly #patience = new Map<FleetWaiter, number>();

  /** `answerMs`: longest time until the store has answered a question that is asked now, or is down. */
  constructor(host: FleetHost, answerMs: number) {
    this.#host = host;
    this.#answerMs = answerMs;
  }

  /** When such a call gives up at the latest. */
  deadlineOf(capability: Capability, request: RequestSpec, deadline: number, now: number): number {
    return this.#isAwaited(capability, request, now) ? Math.max(deadline, now + this.#answerMs) : deadline;
  }

  /** The call waits although its own patience ends at that instant. */
  add(waiter: FleetWaiter, patienceEnd: number): void {
    if (patienceEnd < waiter.deadline) this.#patience.set(waiter, patienceEnd);
  }

  delete(waiter: FleetWaiter): void {
    this.#patience.delete(waiter);
  }

  /** Returns the calls of which the patience is over and the answer has come. */
  answered(now: number): FleetWaiter[] {
    const { capabilities } = this.#host.registry;
    return [...this.#patience].flatMap(([waiter, patienceEnd]) => {
      const capability = capabilities.get(waiter.capability);
      const isOver = patienceEnd <= now && !(capability && this.#isAwaited(capability, waiter.request, now));
      return isOver ? waiter : [];
    });
  }

  /** True if one of the providers might have room, which only the store knows. */
  #isAwaited(capability: Capability, request: RequestSpec, now: number): boolean {
    const { registry, minimumHealth } = this.#host;
    return registry.listed(capability).some((entry) => {
      const { name, provider } = entry;
      if (provider === null || request.excludes(name)) return false;
      const state = provider.state(now, minimumHealth);
      if (provider.trialGate?.isAwaited && state === "trial") return true;
      if (state === "dead" || state === "paused" || state === "cooldown" || state === "unhealthy") return false;
      const demand = request.demandOn(capability, entry, true);
      return provider.quotas.some((quota) => Number.isNaN(earliestFit(quota, demand, now)));
    });
  }
}
