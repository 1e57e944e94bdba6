import type { GrateLimiter, Lease, Settlement, Usage } from "../../../src/index.ts";
import type { Amounts, SimulatedNetwork, SimulatedServer } from "./simulated-servers.ts";

/** The data of one request before it is sent. */
export interface Draft {
  /** The amounts that the server counts. */
  readonly amounts: Amounts;
  /** The amounts that the caller states. */
  readonly needs: Usage;
  /** The usage that the caller reports at the end. Default: none. */
  readonly truth?: Usage;
  /** Time from arrival to headers, and from there to the end of the response. */
  readonly workMs: number;
  readonly bodyMs: number;
  /** Sends a request that does not end with an answer. `again` asks for capacity. */
  readonly send?: (lease: Lease, again: () => void) => void;
}

/** Sends whenever the limiter allows it: one more request always waits, in order. */
export class SaturatedSender {
  /** Time from grant to headers of every request in ms, and the instants of the grants. */
  readonly trips: { readonly at: number; readonly ms: number }[] = [];
  readonly #world: SimulatedNetwork;
  readonly #limiter: GrateLimiter;
  readonly #server: SimulatedServer;
  readonly #draft: () => Draft;
  readonly #retryAfterMs: number | undefined;
  #next: Draft;
  /** Number of requests that can still be sent. Infinity once callers wait. */
  #available: number;
  #cancel: (() => void) | null = null;

  /** `retryAfterMs`: the stated wait of a 429. Default: none. */
  constructor(
    network: SimulatedNetwork,
    limiter: GrateLimiter,
    server: SimulatedServer,
    draft: () => Draft,
    retryAfterMs?: number | undefined,
  ) {
    this.#world = network;
    this.#limiter = limiter;
    this.#server = server;
    this.#draft = draft;
    this.#retryAfterMs = retryAfterMs;
    this.#next = draft();
    this.#available = 0;
  }

  /** Adds callers: this number, or enough that one always waits. */
  arrive(count: number): void {
    this.#available += count;
    this.again();
  }

  /** No further callers arrive, and those that wait give up. */
  stop(): void {
    this.#available = 0;
    this.again();
  }

  /** Called when capacity might be available. */
  readonly again = (): void => {
    this.#cancel?.();
    this.#cancel = null;
    while (this.#available > 0) {
      const lease = this.#limiter.tryAcquire("c", this.#next.needs);
      if (!lease.granted) {
        const { retryAfterMs } = lease;
        // null: when a request in flight ends, which calls this function again.
        if (retryAfterMs !== null) this.#cancel = this.#world.after(retryAfterMs, this.again);
        return;
      }
      this.#available--;
      const draft = this.#next;
      this.#next = this.#draft();
      if (draft.send === undefined) this.#send(lease, draft);
      else draft.send(lease, this.again);
    }
  };

  #send(lease: Lease, { amounts, truth, workMs, bodyMs }: Draft): void {
    const at = this.#world.now;
    this.#server.send({
      amounts,
      workMs,
      bodyMs,
      answered: () => {
        lease.headersReceived();
        this.trips.push({ at, ms: this.#world.now - at });
        // This cannot bring a known instant forward.
        if (this.#cancel === null) this.again();
      },
      ended: (status) => {
        const settlement: Settlement = { status };
        if (truth !== undefined && status === 200) settlement.usage = truth;
        if (status === 429) settlement.retryAfterMs = this.#retryAfterMs;
        lease.settle(settlement);
        this.again();
      },
    });
  }
}
