/** A store through which several processes share limits, such as `redisStore(client)`. */
export interface SharedStore {
  /** Connects a limiter; called by its constructor alone. */
  readonly connect: (limiter: never, options: never) => unknown;
}
