// A response that is a failure: the beginning of its body is read for the classification, and the response is handed on as if
// nothing had been read.

import { jsonObject } from "./answer-usage.ts";
import type { RequestSignal } from "./request-signal.ts";
import { byteStream, hasStream, withBody } from "./response-copy.ts";
import { type StreamController, type WebHeaders, type WebReader, type WebResponse, web } from "./web.ts";

const MAX_BODY = 65_536;
const MAX_MS = 1_000;
const MAX_MESSAGE = 200;
const STREAM = { stream: true };
const DONE = { done: true, value: undefined };

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
  if (!hasStream(response)) return new FailedResponse(response, "", () => {});
  const reader = response.body.getReader();
  const chunks: unknown[] = [];
  const decoder = new web.TextDecoder();
  let text = "";
  let bytes = 0;
  let hasEnded = false;
  let cancelTimer = (): void => {};
  const late = new Promise<undefined>((resolve) => {
    cancelTimer = clock.wakeAt(clock.now() + MAX_MS, () => resolve(undefined));
  });
  /** Read without a result yet, which the reader of the response gets: it is late, or the body is broken. */
  let pending: ReturnType<WebReader["read"]> | undefined;
  while (bytes < MAX_BODY && !hasEnded) {
    pending = reader.read();
    const part = await Promise.race([pending, late]).catch(() => undefined);
    if (part === undefined) break;
    pending = undefined;
    hasEnded = part.done;
    if (hasEnded) break;
    const chunk = part.value as Uint8Array;
    chunks.push(chunk);
    bytes += chunk.byteLength;
    text += decoder.decode(chunk, STREAM);
  }
  cancelTimer();
  const unfollow = hasEnded ? () => {} : signal.follow(() => {});
  const end = () => {
    hasEnded = true;
    unfollow();
  };
  const cancel = (reason?: unknown) => {
    end();
    return reader.cancel(reason);
  };
  const pull = async (controller: StreamController) => {
    const chunk = chunks.shift();
    if (chunk !== undefined) return controller.enqueue(chunk);
    try {
      const { done, value } = hasEnded ? DONE : await (pending ?? reader.read());
      pending = undefined;
      if (!done) return controller.enqueue(value);
      end();
      controller.close();
    } catch (error) {
      end();
      controller.error(error);
    }
  };
  const drop = () => void cancel().catch(() => {});
  return new FailedResponse(withBody(response, byteStream({ pull, cancel }, 0)), text, drop);
}
