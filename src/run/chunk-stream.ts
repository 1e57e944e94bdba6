import type { Settlement } from "../api/lease.ts";
import type { TaskResult } from "../api/run-options.ts";
import type { AttemptContext } from "./attempt-context.ts";
import { TIMEOUT, UNKNOWN } from "./classify.ts";
import type { FailoverLoop } from "./failover-loop.ts";
import { timeoutError } from "./run-dependencies.ts";

const DONE = { done: true, value: undefined } as const;

/** The pull that waits for its chunk. */
interface Pull<Chunk> {
  resolve(result: IteratorResult<Chunk>): void;
  reject(reason: unknown): void;
}

/**
 * A stream whose first chunk is there. It holds its lease until the source ends, throws, or is left, and settles it by
 * that, with the time to the first chunk as its latency. Of the source it holds that one chunk at most.
 */
export class ChunkStream<Chunk> implements AsyncIterableIterator<Chunk> {
  readonly #call: FailoverLoop;
  readonly #context: AttemptContext;
  /** What the task returned. */
  readonly iterable: AsyncIterable<Chunk>;
  readonly #source: AsyncIterator<Chunk>;
  readonly #chunkTimeoutMs: number;
  readonly #latencyMs: number;
  readonly #unwatch: (() => void) | undefined;
  #first: IteratorResult<Chunk> | null;
  #isOver: boolean;
  /** What ended it while nobody pulled; the next pull throws it. */
  #missed: { readonly reason: unknown } | null = null;
  #pull: Pull<Chunk> | null = null;
  /** Pulls are made one after the other. */
  #latest: Promise<unknown> = Promise.resolve();

  /** `first` is what the source's first `next()` gave. */
  constructor(
    call: FailoverLoop,
    context: AttemptContext,
    iterable: AsyncIterable<Chunk>,
    source: AsyncIterator<Chunk>,
    first: IteratorResult<Chunk>,
    chunkTimeoutMs: number | undefined,
  ) {
    this.#call = call;
    this.#context = context;
    this.iterable = iterable;
    this.#source = source;
    this.#chunkTimeoutMs = chunkTimeoutMs ?? Infinity;
    this.#first = first;
    context.lease.headersReceived();
    this.#latencyMs = call.parts.time.now - context.startedAt;
    this.#isOver = first.done === true;
    if (this.#isOver) return;
    this.#unwatch = call.watch(call.deadline, () => {
      const { signal } = call;
      this.#breakOff(UNKNOWN.settlement, signal?.aborted ? signal.reason : timeoutError("the call"));
    });
  }

  /** True of an empty stream from the beginning; its lease is not settled here. */
  get isOver(): boolean {
    return this.#isOver;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Chunk>> {
    const step = () => this.#step();
    const next = this.#latest.then(step, step);
    this.#latest = next;
    return next;
  }

  /** Leaves the stream: the source's `return` is called, and what the task does with its signal ends. */
  async return(value?: unknown): Promise<IteratorResult<Chunk>> {
    this.#missed = null;
    if (!this.#isOver) {
      const pull = this.#pull;
      this.#finish(UNKNOWN.settlement);
      const left = leave(this.#source);
      left.catch(() => {});
      // A source that is asked for a chunk may hear of it only once that is there.
      pull?.resolve(DONE);
      try {
        if (pull === null) await left;
      } finally {
        this.#context.abort(undefined);
      }
    }
    return { done: true, value };
  }

  async #step(): Promise<IteratorResult<Chunk>> {
    const first = this.#first;
    const missed = this.#missed;
    this.#first = null;
    this.#missed = null;
    if (missed !== null) throw missed.reason;
    if (this.#isOver) return DONE;
    if (first !== null) return first;
    try {
      const result = await this.#pulled();
      if (result.done && !this.#isOver) this.#endAs({ ok: true, value: this.iterable });
      return result;
    } catch (error) {
      if (!this.#isOver) this.#endAs({ ok: false, error });
      throw error;
    }
  }

  async #pulled(): Promise<IteratorResult<Chunk>> {
    const { admission } = this.#call.parts;
    let cancel: (() => void) | undefined;
    if (this.#chunkTimeoutMs < Infinity) {
      const atMs = admission.beginStep() + this.#chunkTimeoutMs;
      cancel = admission.watch(undefined, atMs, () => this.#breakOff(TIMEOUT.settlement, timeoutError("a chunk")));
      admission.endStep();
    }
    try {
      return await new Promise((resolve, reject) => {
        this.#pull = { resolve, reject };
        Promise.resolve(this.#source.next()).then(resolve, reject);
      });
    } finally {
      this.#pull = null;
      cancel?.();
      // Nothing else takes the timer down once the lease is settled.
      if (cancel !== undefined && this.#isOver) admission.endStep();
    }
  }

  /** Ends it by what the source did; throws what the caller's `classify` throws. */
  #endAs(result: TaskResult): void {
    let { settlement } = UNKNOWN;
    try {
      settlement = this.#call.judge(result).settlement;
    } finally {
      this.#finish(settlement);
    }
  }

  /** Ends it without the source. */
  #breakOff(settlement: Settlement, reason: unknown): void {
    const pull = this.#pull;
    this.#finish(settlement);
    if (pull === null) this.#missed = { reason };
    else pull.reject(reason);
    this.#context.abort(reason);
    leave(this.#source).catch(() => {});
  }

  #finish(settlement: Settlement): void {
    this.#isOver = true;
    this.#unwatch?.();
    this.#context.lease.settle({ ...settlement, latencyMs: settlement.latencyMs ?? this.#latencyMs });
  }
}

/** Calls a source's `return`, if it has one. */
export async function leave(source: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  await source.return?.();
}
