import type { MapResult, TaskContext } from "../api/attempt.ts";
import type { MapOptions } from "../api/run-options.ts";
import { GrateLimiterError } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { type RequestSpec, requestSpecFor } from "../selection/request-spec.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";
import { newController } from "./attempt-context.ts";
import { leave } from "./chunk-stream.ts";
import { FailoverLoop } from "./failover-loop.ts";
import type { RunDependencies, Signal } from "./run-dependencies.ts";
import { Semaphore } from "./semaphore.ts";

const CONCURRENCY = 1_000;
// How many items wait for room at once. Where all need the same, one is enough, for the line is first come, first served;
// where they do not, one that has to wait is not to stop those that have not.
const WAITING_ALIKE = 1;
const WAITING_DIFFERENT = 32;

/**
 * `run` for many items, as fast as the quotas allow; results in order of completion, errors of items among them. Begins
 * with the first pull; holds `concurrency` items at most, those whose results nobody has pulled among them. Its `next`
 * rejects with the signal's reason, with what the source throws once what runs has ended, and with code "closed".
 */
export function map<Item, T>(
  parts: RunDependencies,
  capability: Capability,
  items: Iterable<Item> | AsyncIterable<Item>,
  task: (item: Item, context: TaskContext) => T | PromiseLike<T>,
  options: MapOptions<Item>,
  request: RequestSpec,
): AsyncIterableIterator<MapResult<Item, T>> {
  return new Items(parts, capability, items, task, options, request);
}

interface Pull<Result> {
  resolve(result: IteratorResult<Result>): void;
  reject(reason: unknown): void;
}

class Items<Item, T> implements AsyncIterableIterator<MapResult<Item, T>> {
  readonly #parts: RunDependencies;
  readonly #source: Iterator<Item> | AsyncIterator<Item>;
  readonly #serve: (item: Item, index: number) => Promise<MapResult<Item, T>>;
  readonly #concurrency: number;
  readonly #signal: Signal | undefined;
  readonly #turnstile: Semaphore;
  readonly #controller = newController();
  readonly #results: MapResult<Item, T>[] = [];
  readonly #pulls: Pull<MapResult<Item, T>>[] = [];
  /** Items that were pulled and not handed out. */
  #held = 0;
  #hasBegun = false;
  #isPulling = false;
  /** Nothing more is pulled from the source. */
  #isFed = false;
  /** Nothing more is handed out. */
  #isOver = false;
  /** What the end is told with, once. */
  #failure: { readonly reason: unknown } | null = null;
  #resume: (() => void) | undefined;
  #unwatch: (() => void) | undefined;

  constructor(
    parts: RunDependencies,
    capability: Capability,
    items: Iterable<Item> | AsyncIterable<Item>,
    task: (item: Item, context: TaskContext) => T | PromiseLike<T>,
    { concurrency = CONCURRENCY, needs, ...options }: MapOptions<Item>,
    request: RequestSpec,
  ) {
    const places = needs === undefined ? WAITING_ALIKE : Math.min(WAITING_DIFFERENT, parts.maxWaiting >> 1);
    const turnstile = new Semaphore(Math.max(1, places));
    const { signal } = this.#controller;
    this.#parts = parts;
    this.#source =
      (items as AsyncIterable<Item>)[Symbol.asyncIterator]?.() ?? (items as Iterable<Item>)[Symbol.iterator]();
    this.#concurrency = concurrency;
    this.#signal = options.signal as Signal | undefined;
    this.#turnstile = turnstile;
    this.#serve = async (item, index) => {
      const needed = needs?.(item, index);
      const told = { ...options, ...omitUndefined(needed ?? {}), signal };
      const asked = needed === undefined ? request : requestSpecFor(told);
      const call = new FailoverLoop(parts, capability, told, asked, turnstile);
      const { value, provider } = await call.serve((context) => task(item, context));
      return { ok: true, item, index, value, provider };
    };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<MapResult<Item, T>>> {
    return new Promise((resolve, reject) => {
      this.#pulls.push({ resolve, reject });
      if (!this.#hasBegun) this.#begin();
      this.#handOut();
    });
  }

  /** Stops: what runs is aborted and its leases end as cancelled; the source's `return` is called. */
  async return(value?: unknown): Promise<IteratorResult<MapResult<Item, T>>> {
    // A source that was asked for an item hears of it only once that is there.
    const isPulling = this.#isPulling;
    const left = this.#leave();
    this.#failure = null;
    this.#giveUp(undefined);
    if (!isPulling) await left;
    return { done: true, value };
  }

  #begin(): void {
    this.#hasBegun = true;
    const signal = this.#signal;
    const abort = () => {
      this.#failure = { reason: signal!.reason };
      this.#leave();
      this.#giveUp(signal!.reason);
    };
    if (signal?.aborted) abort();
    else {
      this.#unwatch = this.#parts.admission.watch(signal, Infinity, abort);
      this.#feed();
    }
  }

  async #feed(): Promise<void> {
    try {
      for (let index = 0; ; index++) {
        if (this.#held >= this.#concurrency) {
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        }
        // None is pulled before it may wait for room.
        await this.#turnstile.enter();
        this.#turnstile.leave();
        if (this.#isFed) break;
        this.#isPulling = true;
        const { done, value } = await this.#source.next();
        this.#isPulling = false;
        if (done || this.#isFed) break;
        this.#held++;
        this.#run(value, index);
      }
    } catch (reason) {
      this.#failure ??= { reason };
    }
    this.#isFed = true;
    this.#handOut();
  }

  async #run(item: Item, index: number): Promise<void> {
    let result: MapResult<Item, T> | null = null;
    try {
      result = await this.#serve(item, index);
    } catch (error) {
      const isClosed = GrateLimiterError.is(error) && error.code === "closed";
      if (!isClosed) result = { ok: false, item, index, error };
      else if (!this.#isFed) {
        this.#failure = { reason: error };
        this.#leave();
      }
    }
    if (this.#isOver) return;
    if (result === null) this.#held--;
    else this.#results.push(result);
    this.#handOut();
  }

  /** Pulls no more items. */
  #leave(): Promise<void> {
    const left = this.#isFed ? Promise.resolve() : leave(this.#source);
    left.catch(() => {});
    this.#isFed = true;
    return left;
  }

  /** Forgets what runs and what is there. */
  #giveUp(reason: unknown): void {
    if (this.#isOver) return;
    this.#held = this.#results.length = 0;
    this.#handOut();
    this.#controller.abort(reason);
  }

  #handOut(): void {
    const pulls = this.#pulls;
    for (let result = this.#results[0]; result !== undefined && pulls.length > 0; result = this.#results[0]) {
      this.#results.shift();
      this.#held--;
      pulls.shift()!.resolve({ done: false, value: result });
    }
    if (this.#held < this.#concurrency) this.#resume?.();
    if (!this.#isFed || this.#held > 0) return;
    this.#isOver = true;
    this.#unwatch?.();
    for (const { resolve, reject } of pulls.splice(0)) {
      const failure = this.#failure;
      this.#failure = null;
      if (failure === null) resolve({ done: true, value: undefined });
      else reject(failure.reason);
    }
  }
}
