import { RealClock } from "grate-limiter";
import { TICK_MS } from "./message.ts";
import { type MonitoredLimiter, Recorder } from "./recorder.ts";
import { type StreamController, type WebSignal, web } from "./web.ts";

/** A reader that has not read for so long is gone. */
const STALLED_MS = 30_000;

/** A stream ends after this time, and the page asks for another one, so that its request is authorized again. */
const STREAM_MS = 300_000;

/** Time after which a page asks again when its stream has ended. */
const RETRY_MS = 1_000;

/** A tick takes at most this share of the time, also with thousands of providers: then messages come less often. */
const MOST_SHARE = 0.05;
const LONGEST_TICK_MS = 3_000;

/** One stream that is being read. */
interface Reader {
  readonly controller: StreamController;
  /** Ends its pending read; null: it reads nothing now. */
  endRead: (() => void) | null;
  readonly startedAt: number;
  /** Instant of its last message. */
  sentAt: number;
  /** True if its next message must contain the whole state: it is new, or missed a message. */
  needsAll: boolean;
}

/**
 * Streams of messages about one limiter. It has a timer and listeners only while a stream is read. A slow reader misses
 * messages and gets the whole state next, so that nothing is kept for it.
 */
export class Feed {
  readonly #recorder: Recorder;
  readonly #clock = new RealClock();
  readonly #readers = new Set<Reader>();
  #cancelTimer: (() => void) | null = null;

  constructor(limiter: MonitoredLimiter, title: string) {
    this.#recorder = new Recorder(limiter, title, () => this.#clock.now());
  }

  /** Number of streams that are being read. */
  get size(): number {
    return this.#readers.size;
  }

  /** New stream of server-sent events. It begins with its first read, and ends when `signal` aborts. */
  open(signal: WebSignal | null | undefined): object {
    let reader: Reader | undefined;
    let isOver = false;
    let controller: StreamController;
    const onAbort = () => {
      if (!isOver) controller.close();
      end();
    };
    const end = () => {
      isOver = true;
      signal?.removeEventListener("abort", onAbort);
      if (reader !== undefined) this.#remove(reader);
    };
    const source = {
      start(given: StreamController) {
        controller = given;
        if (signal?.aborted) onAbort();
        else signal?.addEventListener("abort", onAbort);
      },
      pull: async () => {
        if (isOver) return;
        if (reader === undefined) {
          const now = this.#clock.now();
          reader = { controller, endRead: null, startedAt: now, sentAt: now, needsAll: true };
          this.#add(reader);
        }
        await this.#read(reader);
      },
      cancel: end,
    };
    // Without a queue: nothing is made before a read asks for it.
    return new web.ReadableStream(source, { highWaterMark: 0 });
  }

  #add(reader: Reader): void {
    this.#readers.add(reader);
    if (this.#readers.size > 1) return;
    this.#try(() => {
      this.#recorder.start();
      this.#schedule(TICK_MS);
    });
  }

  #remove(reader: Reader): void {
    reader.endRead?.();
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#recorder.stop();
  }

  /** Resolves when the reader has its next message, or is removed. */
  #read(reader: Reader): Promise<void> {
    return new Promise((resolve) => {
      reader.endRead = resolve;
      if (!this.#readers.has(reader)) resolve();
      else if (reader.needsAll) this.#try(() => this.#send(reader, this.#recorder.all()));
    });
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer = this.#clock.wakeAt(this.#clock.now() + delayMs, () => this.#try(() => this.#tick()));
  }

  #tick(): void {
    this.#cancelTimer = null;
    const now = this.#clock.now();
    for (const reader of this.#readers) {
      const isStalled = reader.endRead === null && now - reader.sentAt >= STALLED_MS;
      if (!isStalled && now - reader.startedAt < STREAM_MS) continue;
      reader.controller.close();
      this.#remove(reader);
    }
    if (this.#readers.size === 0) return;
    const changes = this.#recorder.record();
    for (const reader of this.#readers) {
      if (reader.endRead === null) reader.needsAll = true;
      else this.#send(reader, changes);
    }
    const leastMs = (this.#clock.now() - now) / MOST_SHARE;
    // A listener of the limiter can close the last page meanwhile, or open one.
    if (this.#readers.size > 0 && this.#cancelTimer === null) {
      this.#schedule(Math.min(LONGEST_TICK_MS, Math.max(TICK_MS, leastMs)));
    }
  }

  #send(reader: Reader, message: string): void {
    const { controller, endRead, startedAt, sentAt } = reader;
    const retry = sentAt === startedAt ? `retry: ${RETRY_MS}\n` : "";
    reader.endRead = null;
    reader.needsAll = false;
    reader.sentAt = this.#clock.now();
    // Each reader has bytes of its own, because a runtime can take them away from others.
    controller.enqueue(new web.TextEncoder().encode(`${retry}data: ${message}\n\n`));
    endRead?.();
  }

  /** Calls a step. If it throws, which a strategy or a clock of the user can cause, all streams end with the error. */
  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      for (const reader of this.#readers) {
        reader.controller.error(error);
        this.#remove(reader);
      }
    }
  }
}
