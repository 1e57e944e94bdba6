// A network and servers on a MockClock: every event is a timer of the clock, so that minutes take milliseconds, and the
// same seed gives the same run. Instants are integer ticks of 1/1024 ms, so no comparison depends on rounding.

import type { MockClock } from "../../../src/index.ts";
import { type WindowAlgorithm, windowLimit } from "../http/server-limits.ts";

export const TICKS_PER_MS = 1_024;
export const WINDOW_MS = 60_000;
/** Maximum delay of the network in each direction. Each delay is uniform from 0. */
export const DELAY_MS = 300;

/** The amounts that a server counts for one request. */
export interface Amounts {
  readonly requests: number;
  readonly tokens: number;
}

/** One limit of a server. Windows have the length WINDOW_MS. */
export interface ServerLimit {
  readonly algorithm: WindowAlgorithm;
  readonly counts: keyof Amounts;
  readonly limit: number;
}

export class SimulatedNetwork {
  readonly clock: MockClock;
  readonly random: () => number;

  constructor(clock: MockClock, random: () => number) {
    this.clock = clock;
    this.random = random;
  }

  get now(): number {
    return this.clock.now();
  }

  /** Calls `happen` after the given milliseconds, on a tick. */
  after(ms: number, happen: () => void): () => void {
    return this.clock.wakeAt(this.now + Math.max(0, Math.round(ms * TICKS_PER_MS)) / TICKS_PER_MS, happen);
  }

  delay(): number {
    return DELAY_MS * this.random();
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.random();
  }

  /** e^N(mu, sigma). */
  logNormal(mu: number, sigma: number): number {
    // Box and Muller; 1 - u is never 0.
    const radius = Math.sqrt(-2 * Math.log(1 - this.random()));
    return Math.exp(mu + sigma * radius * Math.cos(2 * Math.PI * this.random()));
  }
}

/** The requests that a server accepted or refused, at their arrival. */
export interface Arrival {
  readonly at: number;
  readonly amounts: Amounts;
  readonly isAccepted: boolean;
}

/** A server that counts each accepted request at its arrival. */
export class SimulatedServer {
  readonly arrivals: Arrival[] = [];
  mostAtOnce = 0;
  readonly #world: SimulatedNetwork;
  readonly #limits;
  readonly #places: number;
  #atOnce = 0;

  /** The phases of fixed windows are random. */
  constructor(network: SimulatedNetwork, limits: readonly ServerLimit[], places: number = Number.POSITIVE_INFINITY) {
    this.#world = network;
    this.#places = places;
    const windowTicks = WINDOW_MS * TICKS_PER_MS;
    this.#limits = limits.map(({ algorithm, counts, limit }) => {
      const phase = Math.floor(windowTicks * network.random());
      return { counts, limit: windowLimit(algorithm, limit, windowTicks, phase) };
    });
  }

  /**
   * Sends a request now. `answered` is called when the headers reach the client, and `ended` at the last byte. Neither
   * is called after the client has closed the connection, which the server notices after a network delay.
   */
  send(request: {
    readonly amounts: Amounts;
    /** Time from arrival to headers, and from there to the end of the response. */
    readonly workMs: number;
    readonly bodyMs: number;
    readonly answered: (status: number) => void;
    readonly ended: (status: number) => void;
  }): { readonly hangUp: () => void } {
    const network = this.#world;
    let hasLeft = false;
    let arrived = false;
    let isKnownToHaveLeft = false;
    let free = () => {};
    network.after(network.delay(), () => {
      arrived = true;
      const isAccepted = this.#arrive(request.amounts);
      const status = isAccepted ? 200 : 429;
      const backMs = network.delay();
      const [workMs, bodyMs] = isAccepted ? [request.workMs, request.bodyMs] : [0, 0];
      if (isAccepted) {
        let holds = true;
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
        free = () => {
          if (holds) this.#atOnce--;
          holds = false;
        };
        if (isKnownToHaveLeft) free();
        network.after(workMs + bodyMs, () => free());
      }
      network.after(workMs + backMs, () => {
        if (!hasLeft) request.answered(status);
      });
      network.after(workMs + bodyMs + backMs, () => {
        if (!hasLeft) request.ended(status);
      });
    });
    return {
      hangUp: () => {
        if (hasLeft) return;
        hasLeft = true;
        network.after(network.delay(), () => {
          isKnownToHaveLeft = true;
          if (arrived) free();
        });
      },
    };
  }

  #arrive(amounts: Amounts): boolean {
    const at = this.#world.now;
    const tick = at * TICKS_PER_MS;
    const isAccepted =
      this.#limits.every(({ counts, limit }) => limit.fits(amounts[counts], tick)) && this.#atOnce < this.#places;
    if (isAccepted) for (const { counts, limit } of this.#limits) limit.count(amounts[counts], tick);
    this.arrivals.push({ at, amounts, isAccepted });
    return isAccepted;
  }
}
