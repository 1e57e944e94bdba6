import type { TaskContext } from "../../../src/index.ts";
import type { Configs } from "./configs.ts";
import { usage } from "./demands.ts";
import { ScriptedError } from "./scripted-error.ts";
import type { SteppedClock } from "./stepped-clock.ts";

/** How one attempt of a scripted task goes. */
interface Step {
  /** Infinity: it ends only with the signal. */
  readonly durationMs: number;
  readonly hasHeaders: boolean;
  readonly report: ReturnType<typeof usage> | undefined;
  /** Number of chunks of a stream before its end. */
  readonly chunks: number;
  readonly end: () => unknown;
}

/**
 * A task with attempts that follow a script. All draws are made in advance, so that they do not depend on the order in which
 * promises run.
 */
export class Script {
  /** True once the task was called: the call does not wait for its first lease any more. */
  isStarted = false;
  readonly #clock: SteppedClock;
  readonly #steps: readonly Step[];

  constructor(configs: Configs, clock: SteppedClock) {
    this.#clock = clock;
    this.#steps = Array.from({ length: configs.random.int(1, 5) }, () => drawStep(configs));
  }

  async run({ attempt, lease, signal }: TaskContext, item = 0): Promise<unknown> {
    const step = this.#step(attempt, item);
    if (step.hasHeaders) lease.headersReceived();
    if (step.report !== undefined) lease.report(step.report);
    if (step.durationMs > 0) await this.#clock.sleep(step.durationMs, signal);
    return step.end();
  }

  async *stream({ attempt, lease, signal }: TaskContext): AsyncIterable<unknown> {
    const step = this.#step(attempt, 0);
    if (step.hasHeaders) lease.headersReceived();
    for (let chunk = 0; chunk < step.chunks; chunk++) {
      if (step.durationMs > 0) await this.#clock.sleep(step.durationMs, signal);
      yield chunk;
    }
    if (step.report !== undefined) lease.report(step.report);
    step.end();
  }

  #step(attempt: number, item: number): Step {
    this.isStarted = true;
    return this.#steps[(attempt - 1 + item) % this.#steps.length]!;
  }
}

function drawStep(configs: Configs): Step {
  const { random, paceMs } = configs;
  const retryAfter = () =>
    random.maybe(60, () =>
      random.pick([{ "retry-after": String((paceMs * random.int(0, 10)) / 1_000) }, { "retry-after-ms": `${paceMs}` }]),
    );
  const thrown = (cause: number | string, headers?: { [name: string]: string }) => () => {
    throw new ScriptedError(cause, headers);
  };
  const headers = retryAfter();
  return {
    durationMs: random.weighted([
      [5, 0],
      [9, paceMs * random.int(1, 4)],
      [3, paceMs * random.int(4, 20)],
      [1, Infinity],
    ]),
    hasHeaders: random.chance(40),
    report: random.maybe(30, () => usage(configs)),
    chunks: random.int(0, 3),
    end: random.weighted<() => unknown>([
      [10, () => "done"],
      [4, thrown(429, headers)],
      [2, thrown(503, headers)],
      [1, thrown(500)],
      [1, thrown(400)],
      [1, thrown(402)],
      [1, thrown("ECONNREFUSED")],
      [1, thrown("ECONNRESET")],
      [1, thrown("bug")],
      [1, () => ({ ok: false, status: 429, headers })],
      [1, () => ({ ok: false, status: 404 })],
    ]),
  };
}
