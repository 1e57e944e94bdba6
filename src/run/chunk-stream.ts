import type { Settlement } from "../api/lease.ts";
import type { TaskResult } from "../api/run-options.ts";
import { safeGet } from "../observation/safe-get.ts";
import type { AttemptContext } from "./attempt-context.ts";
import { TIMEOUT, UNKNOWN } from "./classification/classify.ts";
import { closeIterator, pullFrom } from "./close-iterator.ts";
import type { FailoverLoop } from "./failover-loop.ts";
import { timeoutError } from "./timeout-error.ts";

const DONE = { done: true, value: undefined } as const;

/** The pull that waits for its chunk. */
interface Pull<Chunk> {
  resolve(result: IteratorResult<Chunk>): void;
  reject(reason: unknown): void;
}

/**
 * Stream of which the first chunk has arrived. Holds its lease until the source ends or throws, or the caller leaves, and
 * settles it accordingly; its latency is the time to the first chunk. Buffers at most that one chunk.
 */
export class ChunkStream<Chunk> implements AsyncIterableIterator<Chunk> {
  readonly #call: FailoverLoop;
  readonly #context: AttemptContext;
  /** The value that the task returned. */
  readonly iterable: AsyncIterable<Chunk>;
  readonly #source: AsyncIterator<Chunk>;
  readonly #chunkTimeoutMs: number;
  readonly #latencyMs: number;
  readonly #unwatch: (() => void) | undefined;
  #first: IteratorResult<Chunk> | null;
  #isOver: boolean;
  /** True if it was left while a pull was pending. */
  #isLeft = false;
  /** Reason of an abort that no pull has seen yet. The next pull throws it. */
  #unseenAbort: { readonly reason: unknown } | null = null;
  #pull: Pull<Chunk> | null = null;
  /** The latest pull. The next one starts when it has ended. */
  #latest: Promise<unknown> = Promise.resolve();

  /** `first` is the result of the first `next` of `source`. */
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
    context.lease.streamRead(call.parts.time.now);
    this.#latencyMs = call.parts.time.now - context.startedAt;
    this.#isOver = first.done === true;
    if (this.#isOver) return;
    this.#unwatch = call.leases.watch(call.leases.deadline, () => {
      const { signal } = call.leases;
      this.#abort(
        UNKNOWN.settlement,
        signal?.aborted ? signal.reason : timeoutError("the call", call.leases.timeoutMs, "timeoutMs"),
      );
    });
  }

  /** True from the beginning for an empty stream. In that case this class does not settle the lease. */
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

  /** Leaves the stream: aborts the signal of the task and calls the `return` of the source. */
  async return(value?: unknown): Promise<IteratorResult<Chunk>> {
    this.#unseenAbort = null;
    if (!this.#isOver) {
      const pull = this.#pull;
      this.#leave(UNKNOWN.settlement);
      // A generator runs its `return` only after the pending `next`, which might never settle.
      pull?.resolve(DONE);
      // Aborted first, because the `return` might wait for the request.
      this.#context.abort(undefined);
      const closed = closeIterator(this.#source).catch((error: unknown) => {
        // The abort is the wish of the consumer, and no error.
        if (pull === null && safeGet(error, "name") !== "AbortError") throw error;
      });
      if (pull === null) await closed;
    }
    return { done: true, value };
  }

  async #step(): Promise<IteratorResult<Chunk>> {
    const first = this.#first;
    const unseenAbort = this.#unseenAbort;
    this.#first = null;
    this.#unseenAbort = null;
    if (unseenAbort !== null) throw unseenAbort.reason;
    if (this.#isOver) return DONE;
    this.#context.lease.streamRead(this.#call.parts.time.read());
    if (first !== null) return first;
    try {
      const result = await this.#pulled();
      if (result.done && !this.#isOver) this.#endWith({ ok: true, value: this.iterable });
      return result;
    } catch (error) {
      if (!this.#isOver) this.#endWith({ ok: false, error });
      throw error;
    }
  }

  async #pulled(): Promise<IteratorResult<Chunk>> {
    const { admission } = this.#call.parts;
    let cancel: (() => void) | undefined;
    if (this.#chunkTimeoutMs < Infinity) {
      const atMs = admission.beginStep() + this.#chunkTimeoutMs;
      cancel = admission.watch(undefined, atMs, () =>
        this.#abort(TIMEOUT.settlement, timeoutError("a chunk", this.#chunkTimeoutMs, "chunkTimeoutMs")),
      );
      admission.endStep();
    }
    try {
      return await new Promise((resolve, reject) => {
        const ended =
          <V>(settle: (value: V) => void) =>
          (value: V) => {
            settle(value);
            if (this.#isLeft) this.#context.lease.endTask();
          };
        this.#pull = { resolve, reject };
        pullFrom(this.#source).then(ended(resolve), ended(reject));
      });
    } finally {
      this.#pull = null;
      cancel?.();
      // Cancels the timer, because no later call of this lease does it.
      if (cancel !== undefined && this.#isOver) admission.endStep();
    }
  }

  /** Ends the stream by the result of its source. Throws what the classifier of the caller throws. */
  #endWith(result: TaskResult): void {
    let { settlement } = UNKNOWN;
    try {
      const verdict = this.#call.classify(result);
      ({ settlement } = verdict);
      if (!verdict.isRecognized) this.#call.reportUnrecognized(result);
    } finally {
      this.#finish(settlement);
    }
  }

  /** Leaves the stream for a reason, which the next pull throws. */
  #abort(settlement: Settlement, reason: unknown): void {
    const pull = this.#pull;
    this.#leave(settlement);
    if (pull === null) this.#unseenAbort = { reason };
    else pull.reject(reason);
    this.#context.abort(reason);
    closeIterator(this.#source).catch(() => {});
  }

  /** Ends the stream before its source does. A pull that is still pending keeps the place. */
  #leave(settlement: Settlement): void {
    if (this.#pull !== null) {
      this.#isLeft = true;
      this.#context.lease.abandonTask();
    }
    this.#finish(settlement);
  }

  #finish(settlement: Settlement): void {
    this.#isOver = true;
    this.#unwatch?.();
    this.#context.lease.settle({ ...settlement, latencyMs: settlement.latencyMs ?? this.#latencyMs });
  }
}
