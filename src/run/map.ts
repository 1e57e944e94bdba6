import type { ActiveLease } from "../admission/active-lease.ts";
import type { MapProgress, MapResult, MapResults, TaskContext } from "../api/attempt.ts";
import type { LimiterEvents } from "../api/events.ts";
import type { MapOptions } from "../api/run-options.ts";
import { LoopTurns } from "../clock/loop-turns.ts";
import type { Capability } from "../provider/capability.ts";
import { type RequestSpec, requestSpecFor } from "../selection/request-spec.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";
import { newController } from "./abort-controller.ts";
import { BatchBudget } from "./batch-budget.ts";
import { BatchProgress } from "./batch-progress.ts";
import { closeIterator, pullFrom } from "./close-iterator.ts";
import { FailoverLoop } from "./failover-loop.ts";
import { KeyTurns, type MapTurns, mapTurns } from "./map-turns.ts";
import { oneAnswer } from "./one-answer.ts";
import { Queue } from "./queue.ts";
import type { RunDependencies, Signal } from "./run-dependencies.ts";
import { watchWeakly } from "./watch-weakly.ts";

const CONCURRENCY = 1_000;
/** Error of an item that was stopped before its first attempt. */
const STOPPED = {};

/**
 * `run` for many items, as fast as the quotas allow. Yields results in order of completion, errors of items included.
 * Starts with the first pull. Holds at most `concurrency` items, results that were not pulled included. Its `next` rejects
 * with the signal's reason, with the error of the source (after the running items have ended), and with code "closed".
 * `stuckAfterMs`: how long items wait for places of which none is freed.
 */
export function map<Item, T>(
  parts: RunDependencies,
  capability: Capability,
  items: Iterable<Item> | AsyncIterable<Item>,
  task: (item: Item, context: TaskContext) => T | PromiseLike<T>,
  options: MapOptions<Item>,
  request: RequestSpec,
  stuckAfterMs: number,
): MapResults<Item, T> {
  return new MapIterator(parts, capability, items, task, options, request, stuckAfterMs);
}

/** A `next` that has no result yet. */
interface Pull<Result> {
  resolve(result: IteratorResult<Result>): void;
  reject(reason: unknown): void;
}

class MapIterator<Item, T> implements MapResults<Item, T> {
  readonly #parts: RunDependencies;
  readonly #source: Iterator<Item> | AsyncIterator<Item>;
  readonly #serve: (item: Item, index: number) => Promise<MapResult<Item, T>>;
  readonly #concurrency: number;
  readonly #signal: Signal | undefined;
  readonly #stopSignal: Signal | undefined;
  readonly #turns: MapTurns;
  readonly #keyTurns: KeyTurns;
  readonly #progress: BatchProgress;
  readonly #capability: string;
  readonly #stopsForBudget: boolean;
  /** Items without an attempt so far. */
  readonly #notBegun = new Set<FailoverLoop>();
  readonly #controller = newController();
  readonly #results = new Queue<MapResult<Item, T>>();
  readonly #pulls = new Queue<Pull<MapResult<Item, T>>>();
  /** Items that were pulled from the source and have not been yielded. */
  #held = 0;
  #hasStarted = false;
  #isPulling = false;
  /** True once no more items are pulled from the source. */
  #isFed = false;
  /** True once no more results are yielded. */
  #isOver = false;
  /** Reason with which the iteration ends; thrown once. */
  #failure: { readonly reason: unknown } | null = null;
  #resume: (() => void) | undefined;
  readonly #unwatch: (() => void)[] = [];

  constructor(
    parts: RunDependencies,
    capability: Capability,
    items: Iterable<Item> | AsyncIterable<Item>,
    task: (item: Item, context: TaskContext) => T | PromiseLike<T>,
    { concurrency = CONCURRENCY, needs, stopSignal, maxUsd, onBudget, ...options }: MapOptions<Item>,
    request: RequestSpec,
    stuckAfterMs: number,
  ) {
    const startedAt = parts.time.read();
    const areAlike = needs === undefined && options.fairnessKey === undefined;
    const progress = new BatchProgress(items);
    const budget = maxUsd === undefined ? null : new BatchBudget(maxUsd);
    const admits = (lease: ActiveLease) => {
      if (budget?.admits(lease) ?? true) return true;
      this.#stop("budget");
      return false;
    };
    const terms = { startedAt, stuckAfterMs, hasTasks: () => progress.hasTasks, admits };
    const turns = mapTurns(areAlike, parts.maxWaiting, terms);
    const keyTurns = new KeyTurns(() => mapTurns(false, parts.maxWaiting, terms));
    const { signal } = this.#controller;
    this.#parts = parts;
    this.#source =
      (items as AsyncIterable<Item>)[Symbol.asyncIterator]?.() ?? (items as Iterable<Item>)[Symbol.iterator]();
    this.#concurrency = concurrency;
    this.#signal = options.signal as Signal | undefined;
    this.#stopSignal = stopSignal as Signal | undefined;
    this.#turns = turns;
    this.#keyTurns = keyTurns;
    this.#progress = progress;
    this.#capability = capability.name;
    this.#stopsForBudget = onBudget === "stop";
    const shared = { ...options, signal };
    this.#serve = async (item, index) => {
      const ownNeeds = needs?.(item, index);
      const itemOptions = ownNeeds === undefined ? shared : { ...shared, ...omitUndefined(ownNeeds), signal };
      const itemRequest = ownNeeds === undefined ? request : requestSpecFor(itemOptions);
      const key = ownNeeds?.fairnessKey;
      const ownTurns = key === undefined ? turns : keyTurns.enter(key);
      const call = new FailoverLoop(parts, capability, itemOptions, itemRequest, ownTurns);
      const attempt = (context: TaskContext) => this.#attempt(call, () => task(item, context));
      this.#notBegun.add(call);
      try {
        const { value, provider } = await call.serve(attempt, oneAnswer(call));
        return { ok: true, item, index, value, provider };
      } finally {
        if (key !== undefined) keyTurns.leave(key);
        this.#notBegun.delete(call);
        this.#progress.itemEnded(call);
      }
    };
  }

  get progress(): MapProgress {
    return this.#progress.at(this.#parts.time.read());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async toArray(): Promise<MapResult<Item, T>[]> {
    const results: MapResult<Item, T>[] = [];
    for await (const result of this) results.push(result);
    return results;
  }

  next(): Promise<IteratorResult<MapResult<Item, T>>> {
    return new Promise((resolve, reject) => {
      this.#pulls.push({ resolve, reject });
      if (!this.#hasStarted) this.#start();
      this.#yieldResults();
    });
  }

  /** Stops the iteration: aborts running items, ends their leases as cancelled, and calls the source's `return`. */
  async return(value?: unknown): Promise<IteratorResult<MapResult<Item, T>>> {
    // A generator runs its `return` only after the pending `next`, which might never settle.
    const isPulling = this.#isPulling;
    const closed = this.#closeSource();
    this.#failure = null;
    this.#abort(undefined);
    if (!isPulling) await closed;
    return { done: true, value };
  }

  async #attempt(call: FailoverLoop, task: () => T | PromiseLike<T>): Promise<T> {
    this.#notBegun.delete(call);
    this.#progress.taskBegan(call);
    try {
      return await task();
    } finally {
      this.#progress.taskEnded(call);
    }
  }

  #start(): void {
    this.#hasStarted = true;
    this.#progress.started(this.#parts.time.read());
    const signal = this.#signal;
    const stopSignal = this.#stopSignal;
    if (signal?.aborted) this.#abortBy(signal);
    else if (stopSignal?.aborted) this.#stop("signal");
    else {
      if (signal !== undefined) this.#watch(signal, (iterator) => iterator.#abortBy(signal));
      if (stopSignal !== undefined) this.#watch(stopSignal, (iterator) => iterator.#stop("signal"));
      if (this.#stopsForBudget) this.#watchBudgets();
      this.#feed();
    }
  }

  /** Stops when a request of the capability is refused, or begins to wait, because a dollar quota is spent. */
  #watchBudgets(): void {
    const { events } = this.#parts.admission;
    const own = this.#capability;
    this.#unwatch.push(
      events.on("budgetExhausted", ({ capability }: LimiterEvents["budgetExhausted"]) => {
        if (capability === own) this.#stop("budget");
      }),
    );
  }

  #watch(signal: Signal, act: (iterator: MapIterator<Item, T>) => void): void {
    this.#unwatch.push(watchWeakly(this.#parts.admission, signal, this, act));
  }

  /** Pulls no more items, drops those without an attempt, and lets the others end. */
  #stop(why: "signal" | "budget"): void {
    this.#progress.stopped(why);
    this.#closeSource();
    for (const call of this.#notBegun) call.stop(STOPPED);
    this.#yieldResults();
  }

  #abortBy({ reason }: Signal): void {
    this.#failure = { reason };
    this.#closeSource();
    this.#abort(reason);
  }

  async #feed(): Promise<void> {
    // A simulated clock waits for promises, and not for the event loop.
    const turns = this.#parts.time.isReal ? new LoopTurns() : null;
    try {
      for (let index = 0; ; index++) {
        if (this.#held >= this.#concurrency) {
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        }
        // Tasks that end synchronously would leave no time to anything else.
        const turn = turns?.wait() ?? null;
        if (turn !== null) await turn;
        // An item is pulled only when it may wait for capacity, unless the next one can be of another key.
        if (this.#keyTurns.isEmpty) {
          await this.#turns.first.acquire();
          this.#turns.first.release();
        }
        if (this.#isFed) break;
        this.#isPulling = true;
        const { done, value } = await pullFrom(this.#source);
        this.#isPulling = false;
        if (done || this.#isFed) break;
        this.#held++;
        this.#progress.pulled();
        this.#run(value, index);
      }
    } catch (reason) {
      this.#failure ??= { reason };
    }
    turns?.close();
    this.#isFed = true;
    this.#yieldResults();
  }

  async #run(item: Item, index: number): Promise<void> {
    let result: MapResult<Item, T> | null = null;
    try {
      result = await this.#serve(item, index);
    } catch (error) {
      // A task can throw such an error of another limiter.
      if (error !== STOPPED && !this.#parts.admission.isOwnClosed(error)) result = { ok: false, item, index, error };
      else if (!this.#isFed) {
        this.#failure = { reason: error };
        this.#closeSource();
      }
    }
    this.#progress.ended(result?.ok ?? null);
    if (this.#isOver) return;
    if (result === null) this.#held--;
    else this.#results.push(result);
    this.#yieldResults();
  }

  /** Stops pulling items from the source. */
  #closeSource(): Promise<void> {
    const closed = this.#isFed ? Promise.resolve() : closeIterator(this.#source);
    closed.catch(() => {});
    this.#isFed = true;
    return closed;
  }

  /** Drops all results and aborts the running items. */
  #abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#held = 0;
    this.#results.clear();
    this.#yieldResults();
    this.#controller.abort(reason);
  }

  #yieldResults(): void {
    while (!this.#results.isEmpty && !this.#pulls.isEmpty) {
      this.#held--;
      this.#pulls.shift()!.resolve({ done: false, value: this.#results.shift()! });
    }
    if (this.#held < this.#concurrency) this.#resume?.();
    if (!this.#isFed || this.#held > 0) return;
    this.#isOver = true;
    for (const unwatch of this.#unwatch) unwatch();
    for (let pull = this.#pulls.shift(); pull !== undefined; pull = this.#pulls.shift()) {
      const failure = this.#failure;
      this.#failure = null;
      if (failure === null) pull.resolve({ done: true, value: undefined });
      else pull.reject(failure.reason);
    }
  }
}
