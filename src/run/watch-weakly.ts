import type { Admission } from "../admission/admission.ts";
import type { Signal } from "./run-dependencies.ts";

/**
 * Calls `act` with the target when the signal aborts; returns the function that cancels this. The signal does not keep the
 * target, because iterators are dropped without `return`.
 */
export function watchWeakly<T extends object>(
  admission: Admission,
  signal: Signal,
  target: T,
  act: (target: T) => void,
): () => void {
  const dropped = new FinalizationRegistry<() => void>((cancel) => cancel());
  const weak = new WeakRef(target);
  const unwatch = admission.watch(signal, Infinity, () => {
    // The listener keeps the registry, so that it works as long as the listener exists.
    dropped.unregister(signal);
    const alive = weak.deref();
    if (alive !== undefined) act(alive);
  });
  dropped.register(target, unwatch);
  return unwatch;
}
