// A network and servers on a MockClock: everything that happens is a wake-up of the clock, in order of instants, so that
// minutes take milliseconds and the same seed gives the same run. Instants are whole ticks of 1/1024 ms: no comparison
// depends on rounding.

import type { MockClock } from "../../../src/index.ts";
import { type WindowAlgorithm, windowLimit } from "../http/server-limits.ts";

export const TICKS_PER_MS = 1_024;
export const WINDOW_MS = 60_000;
/** Longest delay of the network in each direction; each is uniform from 0. */
export const DELAY_MS = 300;

/** What a server counts of one request. */
export interface Amounts {
  readonly requests: number;
  readonly tokens: number;
}

/** One limit of a server; windows are of WINDOW_MS. */
export interface ServerLimit {
  readonly algorithm: WindowAlgorithm;
  readonly counts: keyof Amounts;
  readonly limit: number;
}

export class World {
  readonly clock: MockClock;
  readonly random: () => number;

  constructor(clock: MockClock, random: () => number) {
    this.clock = clock;
    this.random = random;
  }

  get now(): number {
    return this.clock.now();
  }

  /** Calls `happen` so many ms from now, on a tick. */
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

/** What a server accepted or refused, when it arrived. */
export interface Arrival {
  readonly at: number;
  readonly amounts: Amounts;
  readonly isAccepted: boolean;
}

/** A server that counts what it accepts when it arrives. */
export class SimulatedServer {
  readonly arrivals: Arrival[] = [];
  mostAtOnce = 0;
  readonly #world: World;
  readonly #limits;
  readonly #places: number;
  #atOnce = 0;

  /** The phases of fixed windows are drawn by lot. */
  constructor(world: World, limits: readonly ServerLimit[], places: number = Number.POSITIVE_INFINITY) {
    this.#world = world;
    this.#places = places;
    const windowTicks = WINDOW_MS * TICKS_PER_MS;
    this.#limits = limits.map(({ algorithm, counts, limit }) => {
      const phase = Math.floor(windowTicks * world.random());
      return { counts, limit: windowLimit(algorithm, limit, windowTicks, phase) };
    });
  }

  /**
   * Sends a request now. The client's `answered` is called when the headers reach it, `ended` when the last byte does;
   * neither is once it has hung up, of which the server learns no sooner than a message takes.
   */
  send(request: {
    readonly amounts: Amounts;
    /** From arrival to headers, and from there to the end of the response. */
    readonly workMs: number;
    readonly bodyMs: number;
    readonly answered: (status: number) => void;
    readonly ended: (status: number) => void;
  }): { readonly hangUp: () => void } {
    const world = this.#world;
    let hasLeft = false;
    let arrived = false;
    let isKnownToHaveLeft = false;
    let free = () => {};
    world.after(world.delay(), () => {
      arrived = true;
      const isAccepted = this.#arrive(request.amounts);
      const status = isAccepted ? 200 : 429;
      const backMs = world.delay();
      const [workMs, bodyMs] = isAccepted ? [request.workMs, request.bodyMs] : [0, 0];
      if (isAccepted) {
        let holds = true;
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
        free = () => {
          if (holds) this.#atOnce--;
          holds = false;
        };
        if (isKnownToHaveLeft) free();
        world.after(workMs + bodyMs, () => free());
      }
      world.after(workMs + backMs, () => {
        if (!hasLeft) request.answered(status);
      });
      world.after(workMs + bodyMs + backMs, () => {
        if (!hasLeft) request.ended(status);
      });
    });
    return {
      hangUp: () => {
        if (hasLeft) return;
        hasLeft = true;
        world.after(world.delay(), () => {
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
