import { RealClock } from "grate-limiter";
import { type MonitoredLimiter, Recorder } from "./recorder.ts";
import { type StreamController, type WebSignal, web } from "./web.ts";

/** A reader that has not read for so long is gone. */
const STALLED_MS = 30_000;

/** A stream ends after this time, and the page asks for another one, so that its request is authorized again. */
const STREAM_MS = 300_000;

/** Time after which a page asks again when its stream has ended. */
const RETRY_MS = 1_000;

/** One stream. */
interface Reader {
  readonly controller: StreamController;
  readonly startedAt: number;
  /** Number of the record that it has; 0: none yet. */
  version: number;
  /** Cancels its timer: for the next record, or for the end of a stream that is not read. */
  cancelTimer: (() => void) | null;
}

/**
 * Streams of messages about one limiter. They have timers and listeners only while a stream is read. A slow reader misses
 * records and gets the whole state next, so that nothing is kept for it. Each stream has a timer of its own, because some
 * runtimes let no request write to the stream of another one.
 */
export class Feed {
  readonly #recorder: Recorder;
  readonly #clock = new RealClock();
  readonly #readers = new Set<Reader>();

  constructor(limiter: MonitoredLimiter, title: string) {
    this.#recorder = new Recorder(limiter, title, () => this.#clock.now());
  }

  /** Number of streams that are being read. */
  get size(): number {
    return this.#readers.size;
  }

  /** New stream of server-sent events. It begins with its first read, and ends when `signal` aborts. */
  open(signal: WebSignal | null | undefined): object {
    let controller: StreamController;
    let reader: Reader | undefined;
    let isOver = false;
    const end = () => {
      isOver = true;
      signal?.removeEventListener("abort", close);
      if (reader !== undefined) this.#remove(reader);
    };
    const close = () => {
      if (!isOver) controller.close();
      end();
    };
    const source = {
      start(given: StreamController) {
        controller = given;
        if (signal?.aborted) close();
        else signal?.addEventListener("abort", close);
      },
      pull: async () => {
        if (isOver) return;
        try {
          if (reader === undefined) {
            reader = { controller, startedAt: this.#clock.now(), version: 0, cancelTimer: null };
            this.#add(reader);
          } else await this.#nextRecord(reader);
          if (isOver) return;
          if (this.#clock.now() - reader.startedAt >= STREAM_MS) return close();
          this.#send(reader);
          this.#setTimer(reader, this.#clock.now() + STALLED_MS, close);
        } catch (error) {
          // A strategy or a clock of the user can throw. The stream ends with the error.
          end();
          throw error;
        }
      },
      cancel: end,
    };
    // Without a queue: nothing is made before a read asks for it.
    return new web.ReadableStream(source, { highWaterMark: 0 });
  }

  #add(reader: Reader): void {
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#recorder.start();
    else this.#recorder.recordIfDue();
  }

  #remove(reader: Reader): void {
    reader.cancelTimer?.();
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.#recorder.stop();
  }

  /** Resolves when there is a newer record than the reader has. Never resolves if the reader is removed meanwhile. */
  async #nextRecord(reader: Reader): Promise<void> {
    if (reader.version !== this.#recorder.version) return;
    const { dueAt } = this.#recorder;
    if (this.#clock.now() < dueAt) await new Promise<void>((resolve) => this.#setTimer(reader, dueAt, resolve));
    this.#recorder.recordIfDue();
  }

  #send(reader: Reader): void {
    const { version } = this.#recorder;
    const isNext = reader.version === version - 1 && reader.version > 0;
    const retry = reader.version === 0 ? `retry: ${RETRY_MS}\n` : "";
    reader.version = version;
    const message = isNext ? this.#recorder.changes : this.#recorder.all();
    // Each reader has bytes of its own, because a runtime can take them away from others.
    reader.controller.enqueue(new web.TextEncoder().encode(`${retry}data: ${message}\n\n`));
  }

  #setTimer(reader: Reader, atMs: number, wake: () => void): void {
    reader.cancelTimer?.();
    reader.cancelTimer = this.#clock.wakeAt(atMs, wake);
  }
}
