// Several limiters with one store, a mock clock for the world, and a provider that enforces its limits.
import type { StoreContract } from "../../../src/api/store.ts";
import { GrateLimiter, type GrateLimiterOptions, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { sharedStore } from "../../../src/store/shared-store.ts";
import { type Fault, FaultyStore, NO_FAULT } from "./faulty-store.ts";
import type { LimitServer } from "./limit-server.ts";
import { ProcessClock } from "./process-clock.ts";

export type AcquireOptions = NonNullable<Parameters<GrateLimiter["acquire"]>[1]>;

/** How a simulated request behaves. */
export interface RequestPlan {
  readonly options?: AcquireOptions;
  readonly amount?: number;
  /** Time until it arrives, until its headers, and until its end (ms). */
  readonly networkMs?: number;
  readonly headersMs?: number;
  readonly durationMs?: number;
}

/** One process: a limiter, and the requests that it sends. */
export class FleetProcess {
  readonly clock: ProcessClock;
  readonly limiter: GrateLimiter;
  fault: () => Fault = () => NO_FAULT;
  granted = 0;
  refused = 0;
  /** Calls that have neither a lease nor an error yet. */
  waiting = 0;
  /** Time from the call to the lease or the error (ms). */
  readonly waits: number[] = [];
  readonly #world: FleetWorld;
  readonly #inFlight = new Set<() => void>();

  constructor(world: FleetWorld, aheadMs: number, options: Omit<GrateLimiterOptions, "clock" | "store">) {
    this.#world = world;
    this.clock = new ProcessClock(world.clock, aheadMs);
    const store = new FaultyStore(world.store, world.clock, this.clock, () => this.fault());
    this.limiter = new GrateLimiter({ random: world.random, ...options, clock: this.clock, store: sharedStore(store) });
  }

  /** Sends a request; the promise resolves when it has ended, with true if it was granted. */
  async request(plan: RequestPlan = {}): Promise<boolean> {
    const { options, amount = 1, networkMs = 0, headersMs = 0, durationMs = 0 } = plan;
    const { clock, server } = this.#world;
    const since = clock.now();
    this.waiting++;
    let lease: Awaited<ReturnType<GrateLimiter["acquire"]>>;
    try {
      lease = await this.limiter.acquire("chat", options);
    } catch (error) {
      if (!NoAvailableProviders.is(error) && (error as Error).name !== "AbortError") throw error;
      this.refused++;
      return false;
    } finally {
      this.waiting--;
      this.waits.push(clock.now() - since);
    }
    this.granted++;
    await this.#sleep(networkMs);
    if (this.clock.isKilled) return false;
    const end = server.arrive(clock.now(), amount);
    this.#inFlight.add(end);
    await this.#sleep(headersMs);
    this.clock.run(() => lease.headersReceived());
    await this.#sleep(durationMs);
    end();
    this.#inFlight.delete(end);
    this.clock.run(() => lease.settle("success"));
    return true;
  }

  /** Ends the process without a word. Its connections are closed. */
  kill(): void {
    this.clock.isKilled = true;
    for (const end of this.#inFlight) end();
  }

  #sleep(ms: number): Promise<void> | undefined {
    if (ms === 0) return undefined;
    const { clock } = this.#world;
    return new Promise((resolve) => clock.wakeAt(clock.now() + ms, resolve));
  }
}

/** The store, the provider, and the processes. */
export class FleetWorld {
  readonly clock = new MockClock({ startMs: 1_000 });
  readonly store: StoreContract;
  readonly server: LimitServer;
  readonly random: () => number;
  readonly processes: FleetProcess[] = [];

  constructor(engine: (clock: MockClock) => StoreContract, server: LimitServer, random: () => number = () => 0.5) {
    this.store = engine(this.clock);
    this.server = server;
    this.random = random;
  }

  add(options: Omit<GrateLimiterOptions, "clock" | "store">, clockAheadMs = 0): FleetProcess {
    const process = new FleetProcess(this, clockAheadMs, options);
    this.processes.push(process);
    return process;
  }

  /** Amounts that are negative or not whole anywhere in the forecasts. */
  oddAmounts(): string[] {
    return this.processes.flatMap(({ limiter }) =>
      limiter
        .inspect()
        .providers.flatMap(({ quotas }) =>
          quotas.flatMap(({ used, inFlight, remaining, inHand }) =>
            [used, inFlight, remaining, inHand ?? 0].every((amount) => Number.isSafeInteger(amount) && amount >= 0)
              ? []
              : JSON.stringify({ used, inFlight, remaining, inHand }),
          ),
        ),
    );
  }
}
