// A response that is a failure: the beginning of its body is read for the classification, and the response is handed on as if
// nothing had been read.

import { jsonObject } from "./answer-usage.ts";
import type { RequestSignal } from "./request-signal.ts";
import { byteStream, withBody } from "./response-copy.ts";
import { type WebHeaders, type WebReader, type WebResponse, web } from "./web.ts";

const MAX_BODY = 65_536;
const MAX_MS = 1_000;
const MAX_MESSAGE = 200;

/** Clock with timers. */
export interface Timers {
  now(): number;
  wakeAt(atMs: number, wake: () => void): () => void;
}

/** Error of a request with a failed response, as clients throw it. */
export class FailedResponse extends Error {
  readonly status: number;
  readonly headers: WebHeaders;
  /** Body, parsed if it is JSON. */
  readonly error: unknown;
  /** Response with its whole body. */
  readonly response: WebResponse;
  /** Cancels the part of the body that was not read. */
  readonly drop: () => void;

  constructor(response: WebResponse, text: string, drop: () => void) {
    super(text.slice(0, MAX_MESSAGE));
    this.status = response.status;
    this.headers = response.headers;
    this.error = jsonObject(text) ?? text;
    this.response = response;
    this.drop = drop;
  }
}

/** Reads at most 64 KiB of the body, for at most a second. The rest follows the caller's signal. */
export async function failedResponse(
  response: WebResponse,
  clock: Timers,
  signal: RequestSignal,
): Promise<FailedResponse> {
  if (response.body === null || typeof response.body.getReader !== "function") {
    return new FailedResponse(response, "", () => {});
  }
  const head = new BodyHead(response.body.getReader());
  await head.read(clock);
  if (!head.hasEnded) head.onEnd = signal.follow(() => {});
  return new FailedResponse(withBody(response, head.whole()), head.text(), () => head.drop());
}

/** The beginning of a body, and the rest of it. */
class BodyHead {
  readonly #reader: WebReader;
  readonly #chunks: unknown[] = [];
  /** The read that has no result yet. */
  #pending: ReturnType<WebReader["read"]> | undefined;
  /** Called when nothing is left to read. */
  onEnd = (): void => {};
  #hasEnded = false;

  constructor(reader: WebReader) {
    this.#reader = reader;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async read(clock: Timers): Promise<void> {
    let isLate = false;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.wakeAt(clock.now() + MAX_MS, () => {
        isLate = true;
        resolve();
      });
    });
    let bytes = 0;
    while (bytes < MAX_BODY && !isLate && !this.#hasEnded) {
      const pending = this.#reader.read();
      this.#pending = pending;
      const take = ({ done, value }: { readonly done: boolean; readonly value?: unknown }) => {
        if (this.#pending !== pending || isLate) return;
        this.#pending = undefined;
        if (done) this.#hasEnded = true;
        else {
          this.#chunks.push(value);
          bytes += (value as Uint8Array).byteLength;
        }
      };
      // The body is broken: the reader of the response gets the error.
      const broken = () => {
        isLate = true;
      };
      await Promise.race([pending.then(take, broken), late]);
    }
    cancel();
  }

  text(): string {
    const decoder = new web.TextDecoder();
    return this.#chunks
      .map((chunk) => (chunk instanceof Uint8Array ? decoder.decode(chunk, { stream: true }) : ""))
      .join("");
  }

  /** Stream of the parts that were read, and then of the rest. */
  whole(): unknown {
    const chunks = [...this.#chunks];
    return byteStream(
      {
        pull: async (controller) => {
          const chunk = chunks.shift();
          if (chunk !== undefined) return controller.enqueue(chunk);
          if (this.#hasEnded) return controller.close();
          try {
            const { done, value } = await (this.#pending ?? this.#reader.read());
            this.#pending = undefined;
            if (!done) return controller.enqueue(value);
            this.#end();
            controller.close();
          } catch (error) {
            this.#end();
            controller.error(error);
          }
        },
        cancel: (reason) => {
          this.#end();
          return this.#reader.cancel(reason);
        },
      },
      0,
    );
  }

  drop(): void {
    this.#end();
    this.#reader.cancel().catch(() => {});
  }

  #end(): void {
    this.#hasEnded = true;
    this.onEnd();
  }
}
