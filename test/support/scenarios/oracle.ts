// The best that any client could do, because it knows everything in advance.
//
//   start(call) = first instant from its arrival at which a provider of its capability works and has capacity
//
// Calls are served in the order of their arrival. Regimes: a request that is in flight when its provider breaks counts as
// served, because its first instant decides whether a caller was patient enough.
import { countCapacity } from "./capacity.ts";
import type { ProviderModel } from "./simulated-provider.ts";

export interface OracleCall {
  readonly at: number;
  readonly providers: readonly string[];
}

/** Instants at which the oracle serves the calls, which must be in the order of their arrival. Infinity: never. */
export function oracleStarts(models: readonly ProviderModel[], calls: readonly OracleCall[]): readonly number[] {
  const servers = new Map(models.map((model) => [model.name, new OracleProvider(model)]));
  return calls.map(({ at, providers }) => {
    let first: OracleProvider | null = null;
    let start = Infinity;
    for (const name of providers) {
      const server = servers.get(name)!;
      const instant = server.earliest(at);
      if (instant < start) [first, start] = [server, instant];
    }
    first?.serve(start);
    return start;
  });
}

class OracleProvider {
  readonly #model: ProviderModel;
  readonly #capacity;

  constructor(model: ProviderModel) {
    this.#model = model;
    this.#capacity = countCapacity(model.capacity);
  }

  earliest(at: number): number {
    let instant = this.#capacity.earliest(at);
    for (;;) {
      const fault = this.#model.faults.find(
        ({ fromMs, toMs, share = 1 }) => share === 1 && instant >= fromMs && instant < toMs,
      );
      if (fault === undefined) return instant;
      instant = this.#capacity.earliest(fault.toMs);
    }
  }

  serve(at: number): void {
    this.#capacity.take(at);
    this.#capacity.release(at + this.#model.latencyMs);
  }
}
