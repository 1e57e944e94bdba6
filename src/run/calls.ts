import type { Admission } from "../admission/admission.ts";
import type { MapResult, RunResult, TaskContext } from "../api/attempt.ts";
import type { Lease } from "../api/lease.ts";
import type { GrateLimiterOptions } from "../api/options.ts";
import type { AcquireOptions, MapOptions, RunOptions, SelectOptions, StreamOptions } from "../api/run-options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Capability } from "../provider/capability.ts";
import { requestedCapability } from "../selection/known-names.ts";
import { requestSpecFor } from "../selection/request-spec.ts";
import type { Check } from "../validation/problems.ts";
import * as checks from "../validation/schemas.ts";
import { MAX_WAIT_MS } from "./failover-loop.ts";
import { map } from "./map.ts";
import { RetryBudget } from "./retry-budget.ts";
import { run } from "./run.ts";
import type { RunDependencies } from "./run-dependencies.ts";
import { stream } from "./stream.ts";

const NO_OPTIONS: RunOptions = {};

/** Options of a limiter that concern its calls. */
export interface CallSettings extends Pick<GrateLimiterOptions, "defaults" | "retryBudget"> {
  readonly maxWaiting: number;
  readonly random: () => number;
}

/** Task of `run` or `stream`. */
type Task<T> = (context: TaskContext) => T | PromiseLike<T>;

/** Calls that wait for a lease: checks their arguments, applies the defaults, and starts them. */
export class Calls {
  readonly #parts: RunDependencies;

  constructor(admission: Admission, time: EngineTime, { defaults, retryBudget, maxWaiting, random }: CallSettings) {
    const { counters, events } = admission.selection;
    const budget = new RetryBudget(retryBudget);
    this.#parts = {
      ...{ admission, time, counters, events, random, maxWaiting },
      defaults: { ...defaults },
      retryBudget: budget,
    };
  }

  /** Rejects also if an argument is invalid. */
  acquire(name: string, options: AcquireOptions | undefined): Promise<Lease> {
    const { admission, defaults } = this.#parts;
    try {
      const capability = requestedCapability(checks.acquire, name, options, admission.selection);
      const maxWaitMs = options?.maxWaitMs ?? defaults.maxWaitMs ?? MAX_WAIT_MS;
      return Promise.resolve(admission.acquire(capability, requestSpecFor(options), options ?? NO_OPTIONS, maxWaitMs));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Rejects also if an argument is invalid. */
  run<T>(name: string, task: Task<T>, options: RunOptions | undefined): Promise<RunResult<T>> {
    try {
      const capability = this.#checkTask(checks.run, name, task, options);
      return run(this.#parts, capability, task, copyOf(options), requestSpecFor(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Rejects also if an argument is invalid. */
  stream<Chunk>(
    name: string,
    task: Task<AsyncIterable<Chunk>>,
    options: StreamOptions | undefined,
  ): Promise<RunResult<AsyncIterableIterator<Chunk>>> {
    try {
      const capability = this.#checkTask(checks.stream, name, task, options);
      return stream(this.#parts, capability, task, copyOf(options), requestSpecFor(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws if an argument is invalid. */
  map<Item, T>(
    name: string,
    items: Iterable<Item> | AsyncIterable<Item>,
    task: (item: Item, context: TaskContext) => T | PromiseLike<T>,
    options: MapOptions<Item> | undefined,
  ): AsyncIterableIterator<MapResult<Item, T>> {
    const { admission, defaults } = this.#parts;
    admission.requireOpen();
    const capability = requestedCapability(checks.map, name, options, admission.selection);
    const needs = options?.needs;
    const own = {
      ...options,
      // A batch takes as long as the quotas demand.
      maxWaitMs: options?.maxWaitMs ?? defaults.maxWaitMs ?? Infinity,
      needs: needs && ((item: Item, index: number) => this.#validNeeds(needs(item, index))),
    };
    this.#validate(checks.batch, { items, task });
    return map(this.#parts, capability, items, task, own, requestSpecFor(options));
  }

  #checkTask(check: Check, name: string, task: unknown, options: SelectOptions | undefined): Capability {
    const { admission } = this.#parts;
    admission.requireOpen();
    const capability = requestedCapability(check, name, options, admission.selection);
    if (typeof task !== "function") this.#validate(checks.task, { task });
    return capability;
  }

  #validNeeds(needs: SelectOptions): SelectOptions {
    if (needs !== undefined) this.#validate(checks.select, needs);
    return needs;
  }

  #validate(check: Check, value: unknown): void {
    checks.validate(check, value, this.#parts.admission.profile.vocabulary);
  }
}

/** A copy, because the caller can change the object while the call waits. */
function copyOf(options: StreamOptions | undefined): StreamOptions {
  return options === undefined ? NO_OPTIONS : { ...options };
}
