/** A store through which several processes share limits, such as `memoryStore()`. Made by `sharedStore`. */
export interface SharedStore {
  /** Connects a limiter; called by its constructor alone. */
  readonly connect: (...parts: never[]) => unknown;
}
