// The best that any client could do, because it knows everything in advance.
//
//   start(call) = first instant from its arrival at which a provider of its capability works and has capacity
//
// Calls are served in the order of their arrival. Regimes: without notice, a request that is in flight when its provider
// breaks counts as served, and a provider gets requests from the instant at which it works again. A client that does not
// know the future needs more patience. With a notice of some milliseconds, the oracle avoids requests that would be killed,
// and uses a provider only that time after its outage. After 429s without a stated wait, the time is as long as they lasted.
import { countCapacity } from "./capacity.ts";
import type { ProviderModel } from "./simulated-provider.ts";

export interface OracleCall {
  readonly at: number;
  readonly providers: readonly string[];
}

/** Instants at which the oracle serves the calls, which must be in the order of their arrival. Infinity: never. */
export function oracleStarts(
  models: readonly ProviderModel[],
  calls: readonly OracleCall[],
  noticeMs: number | null = null,
): readonly number[] {
  const servers = new Map(models.map((model) => [model.name, new OracleProvider(model, noticeMs)]));
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
  /** Periods without requests. */
  readonly #outages: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly #capacity;

  constructor(model: ProviderModel, noticeMs: number | null) {
    this.#model = model;
    this.#outages = model.faults
      .filter(({ share = 1 }) => share === 1)
      .map(({ kind, fromMs, toMs, killed = 1 }) => ({
        fromMs: fromMs - (noticeMs !== null && killed > 0 ? model.latencyMs : 0),
        toMs: toMs + (noticeMs === null ? 0 : kind === "429" ? Math.max(noticeMs, toMs - fromMs + 1_000) : noticeMs),
      }));
    this.#capacity = countCapacity(model.capacity);
  }

  earliest(at: number): number {
    let instant = this.#capacity.earliest(at);
    for (;;) {
      const outage = this.#outages.find(({ fromMs, toMs }) => instant >= fromMs && instant < toMs);
      if (outage === undefined) return instant;
      instant = this.#capacity.earliest(outage.toMs);
    }
  }

  serve(at: number): void {
    this.#capacity.take(at);
    this.#capacity.release(at + this.#model.latencyMs);
  }
}
