import type { MapResults, TaskContext } from "../api/attempt.ts";
import type { Explanation } from "../api/explanation.ts";
import type { Lease } from "../api/lease.ts";
import type {
  AcquireOptions,
  FairnessOptions,
  MapOptions,
  RunDefaults,
  RunOptions,
  SelectOptions,
} from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import { requestedCapability } from "../selection/known-names.ts";
import { type RequestSpec, requestSpecFor } from "../selection/request-spec.ts";
import type { Check } from "../validation/problems.ts";
import * as checks from "../validation/schemas.ts";
import { MAX_WAIT_MS } from "./lease-source.ts";
import { map } from "./map.ts";
import type { RunDependencies } from "./run-dependencies.ts";

const NO_OPTIONS: RunOptions = {};

/** Function that starts a call with valid arguments: `run` or `stream`. */
type Start<Task, Options, Result> = (
  parts: RunDependencies,
  capability: Capability,
  task: Task,
  options: Options,
  request: RequestSpec,
) => Promise<Result>;

/** Calls that wait for a lease: checks their arguments, applies the defaults, and starts them. */
export class Calls {
  readonly #parts: RunDependencies;

  constructor(parts: Omit<RunDependencies, "defaults">, defaults: RunDefaults | undefined) {
    // A copy, because the caller can change the object later.
    this.#parts = { ...parts, defaults: { ...defaults } };
  }

  /** Rejects also if an argument is invalid. */
  acquire(name: string, options: AcquireOptions | undefined): Promise<Lease> {
    const { admission, defaults } = this.#parts;
    try {
      const capability = this.#check(checks.acquire, name, options);
      const maxWaitMs = options?.maxWaitMs ?? defaults.maxWaitMs ?? MAX_WAIT_MS;
      const lease = admission.acquire(capability, requestSpecFor(options), options ?? NO_OPTIONS, maxWaitMs);
      return Promise.resolve(lease);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws if an argument is invalid. */
  explain(name: string, options: AcquireOptions | undefined): Explanation {
    const { admission } = this.#parts;
    admission.requireOpen();
    const capability = this.#check(checks.acquire, name, options);
    const maxWaitMs = options?.maxWaitMs ?? this.#parts.defaults.maxWaitMs ?? MAX_WAIT_MS;
    return admission.explain(capability, requestSpecFor(options), options ?? NO_OPTIONS, maxWaitMs);
  }

  /** Starts `run` or `stream`. Rejects also if an argument is invalid. */
  start<Task, Options extends RunOptions, Result>(
    start: Start<Task, Options, Result>,
    check: Check,
    name: string,
    task: Task,
    options: Options | undefined,
  ): Promise<Result> {
    try {
      this.#parts.admission.requireOpen();
      const capability = this.#check(check, name, options);
      if (typeof task !== "function") this.#validate(checks.task, { task });
      // A copy, because the caller can change the object while the call waits.
      const own = (options === undefined ? NO_OPTIONS : { ...options }) as Options;
      return start(this.#parts, capability, task, own, requestSpecFor(options));
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
  ): MapResults<Item, T> {
    const { admission, defaults } = this.#parts;
    admission.requireOpen();
    const capability = this.#check(checks.map, name, options);
    const needs = options?.needs;
    const maxWaitMs = options?.maxWaitMs ?? defaults.maxWaitMs;
    const own = {
      ...options,
      // A batch takes as long as the quotas demand.
      maxWaitMs: maxWaitMs ?? Infinity,
      needs: needs && ((item: Item, index: number) => this.#validNeeds(needs(item, index))),
    };
    this.#validate(checks.batch, { items, task });
    const { leaseTimeoutMs = this.#parts.leaseTimeoutMs } = own;
    const stuckAfterMs = maxWaitMs === undefined ? leaseTimeoutMs : Infinity;
    return map(this.#parts, capability, items, task, own, requestSpecFor(options), stuckAfterMs);
  }

  #check(check: Check, name: string, options: SelectOptions | undefined): Capability {
    return requestedCapability(check, name, options, this.#parts.admission.selection);
  }

  #validNeeds<Needs extends SelectOptions & FairnessOptions>(needs: Needs): Needs {
    if (needs !== undefined) this.#validate(checks.itemNeeds, needs);
    return needs;
  }

  #validate(check: Check, value: unknown): void {
    checks.validate(check, value, this.#parts.admission.profile.vocabulary);
  }
}
