import type { GrateLimiter, RunResult } from "../../../src/index.ts";
import type { Configs } from "./configs.ts";
import { demand, running, waiting } from "./demands.ts";
import { Script } from "./scripts.ts";
import type { SteppedClock } from "./stepped-clock.ts";

/** One call that answers with a promise. */
export interface OpenCall {
  readonly number: number;
  readonly kind: string;
  readonly script: Script | undefined;
  readonly controller: AbortController | undefined;
  /** Its first lease was not there when the call was made. */
  wasQueued: boolean;
  /** The configuration changed while it was open. */
  spansChange: boolean;
}

/** How a call ended. */
export interface Ended {
  readonly call: OpenCall;
  readonly isGranted: boolean;
  readonly outcome: unknown;
}

/** Calls of one world that are open, and the ends of those that are not. */
export class Calls {
  readonly open = new Set<OpenCall>();
  readonly #limiter: GrateLimiter;
  readonly #configs: Configs;
  readonly #clock: SteppedClock;
  #number = 0;
  #ended: Ended[] = [];

  constructor(limiter: GrateLimiter, configs: Configs, clock: SteppedClock) {
    this.#limiter = limiter;
    this.#configs = configs;
    this.#clock = clock;
  }

  /** True if a task is open: it could take a step between two wake-ups. */
  get hasTasks(): boolean {
    for (const { script } of this.open) if (script !== undefined) return true;
    return false;
  }

  /** Calls that have ended since the last time, in the order in which they were made, as promises may settle in any. */
  takeEnded(): Ended[] {
    const ended = this.#ended.sort((a, b) => a.call.number - b.call.number);
    this.#ended = [];
    return ended;
  }

  acquire(capability: string): OpenCall {
    const controller = this.#controller();
    const options = waiting(this.#configs, controller?.signal);
    return this.#track("acquire", undefined, controller, this.#limiter.acquire(capability, options));
  }

  run(capability: string): OpenCall {
    const script = new Script(this.#configs, this.#clock);
    const controller = this.#controller();
    const options = running(this.#configs, controller?.signal);
    const promise = this.#limiter.run(capability, (context) => script.run(context), options);
    return this.#track("run", script, controller, promise);
  }

  stream(capability: string): OpenCall {
    const { random, paceMs } = this.#configs;
    const script = new Script(this.#configs, this.#clock);
    const controller = this.#controller();
    const chunkTimeoutMs = random.maybe(30, () => paceMs * random.int(1, 10));
    const options = { ...running(this.#configs, controller?.signal), chunkTimeoutMs };
    const most = random.chance(25) ? 1 : Infinity;
    const promise = this.#limiter.stream(capability, (context) => script.stream(context), options);
    return this.#track(
      "stream",
      script,
      controller,
      promise.then((result) => readAll(result, most)),
    );
  }

  map(capability: string): OpenCall {
    const { random } = this.#configs;
    const script = new Script(this.#configs, this.#clock);
    const controller = this.#controller();
    const items = Array.from({ length: random.int(0, 4) }, (_, index) => index);
    const demands = random.maybe(50, () => items.map(() => demand(this.#configs)));
    const options = {
      ...running(this.#configs, controller?.signal),
      needs: demands && ((item: number) => demands[item]!),
      concurrency: random.maybe(40, () => random.int(1, 3)),
    };
    const most = random.chance(15) ? 1 : Infinity;
    const results = this.#limiter.map(capability, items, (item, context) => script.run(context, item), options);
    return this.#track("map", script, controller, takeUpTo(results, most));
  }

  #controller(): AbortController | undefined {
    return this.#configs.random.maybe(30, () => new AbortController());
  }

  #track(
    kind: string,
    script: Script | undefined,
    controller: AbortController | undefined,
    promise: Promise<unknown>,
  ): OpenCall {
    const call = { number: this.#number++, kind, script, controller, wasQueued: false, spansChange: false };
    this.open.add(call);
    const end = (isGranted: boolean, outcome: unknown) => {
      this.open.delete(call);
      this.#ended.push({ call, isGranted, outcome });
    };
    promise.then(
      (outcome) => end(true, outcome),
      (error: unknown) => end(false, error),
    );
    return call;
  }
}

/** Reads the chunks of a stream, or leaves it after `most`. */
async function readAll(result: RunResult<AsyncIterableIterator<unknown>>, most: number): Promise<object> {
  const { provider, attempts, value } = result;
  try {
    return { provider, attempts, chunks: await takeUpTo(value, most) };
  } catch (error) {
    return { provider, attempts, error };
  }
}

async function takeUpTo(source: AsyncIterableIterator<unknown>, most: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  for await (const value of source) {
    taken.push(value);
    if (taken.length >= most) break;
  }
  return taken;
}
