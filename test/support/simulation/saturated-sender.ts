import type { GrateLimiter, Lease, Settlement, Usage } from "../../../src/index.ts";
import type { Amounts, SimulatedServer, World } from "./simulated-servers.ts";

/** What one request is, before it is sent. */
export interface Draft {
  /** What the server counts. */
  readonly amounts: Amounts;
  /** What the limiter is told beforehand. */
  readonly needs: Usage;
  /** What it is told at the end; default nothing. */
  readonly truth?: Usage;
  /** From arrival to headers, and from there to the end of the response. */
  readonly workMs: number;
  readonly bodyMs: number;
  /** Takes the sending over, for requests that end in other ways than with an answer; `again` asks for room. */
  readonly send?: (lease: Lease, again: () => void) => void;
}

/** Sends whenever the limiter lets it: there is always one more that waits, in order. */
export class SaturatedSender {
  /** From grant to headers, ms, of every request; and when it was granted. */
  readonly trips: { readonly at: number; readonly ms: number }[] = [];
  readonly #world: World;
  readonly #limiter: GrateLimiter;
  readonly #server: SimulatedServer;
  readonly #draft: () => Draft;
  readonly #retryAfterMs: number | undefined;
  #next: Draft;
  /** How many may still be sent; Infinity once the line has formed. */
  #available: number;
  #cancel: (() => void) | null = null;

  /** `retryAfterMs`: what the server says with a 429; default nothing. */
  constructor(
    world: World,
    limiter: GrateLimiter,
    server: SimulatedServer,
    draft: () => Draft,
    retryAfterMs?: number | undefined,
  ) {
    this.#world = world;
    this.#limiter = limiter;
    this.#server = server;
    this.#draft = draft;
    this.#retryAfterMs = retryAfterMs;
    this.#next = draft();
    this.#available = 0;
  }

  /** Callers come: so many, or so many that there is always one more. */
  arrive(count: number): void {
    this.#available += count;
    this.again();
  }

  /** Nobody comes any more, and who waits goes. */
  stop(): void {
    this.#available = 0;
    this.again();
  }

  /** Room may have come. */
  readonly again = (): void => {
    this.#cancel?.();
    this.#cancel = null;
    while (this.#available > 0) {
      const lease = this.#limiter.tryAcquire("c", this.#next.needs);
      if (!lease.granted) {
        const { retryAfterMs } = lease;
        // Null: when something in flight ends, which is when this is called again.
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
        // An instant that is known already cannot come sooner by this.
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
