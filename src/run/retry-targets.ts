import type { GrateLimiterOptions } from "../api/options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { TargetOf } from "./retry-policy.ts";

/** Facts about the providers of a limiter that retries depend on. A provider keeps its budget as long as it is registered. */
export function retryTargets(
  { registry, minimumHealth }: SelectionContext,
  time: EngineTime,
  options: GrateLimiterOptions["retryBudget"],
): TargetOf {
  const budgets = new WeakMap<object, RetryBudget>();
  return (name) => {
    const provider = registry.providers.get(name);
    if (provider === undefined) return undefined;
    let budget = budgets.get(provider);
    if (budget === undefined) {
      budget = new RetryBudget(options);
      budgets.set(provider, budget);
    }
    return {
      budget,
      provenAt: provider.provenAt,
      get isRecovering() {
        const state = provider.state(time.now, minimumHealth);
        return state === "cooldown" || state === "trial";
      },
    };
  };
}
