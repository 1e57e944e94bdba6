// Stream of a language model, in batches of parts. The first batch ends with the first content, so that a stream that fails
// before it can be replaced by that of another provider.
//
//   held back   starts and ends of blocks, empty deltas, metadata, raw and custom parts; pings are dropped
//   content     everything else, and the `finish` of an answer that is empty
//   failed      before content: an error part, an end without `finish`, a `finish` for an error or without any reason and
//               usage. The attempt has failed with an error
//   failed      after content: an error part. It is handed on, and settles the lease
//
// Regimes: at most 1,000 parts are held back.

import { classifyResult, RealClock, type TaskContext } from "grate-limiter";
import { usageOf } from "./call-demand.ts";
import type { Json } from "./model-types.ts";

/** Part of a stream of the AI SDK. */
export type Part = Json;

const MAX_HELD = 1_000;
const HELD = /^(stream-start|response-metadata|raw|custom|[a-z-]+-(start|end))$/;
const CLOCK = new RealClock();

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(): Promise<void>;
}

/** Batches of the parts of one attempt. */
export class PartBatches implements AsyncIterableIterator<readonly Part[]> {
  readonly #reader: Reader;
  readonly #context: TaskContext;
  readonly #metadata: Json;
  readonly #held: Part[] = [];
  #hasContent = false;
  #hasFinished = false;

  /** `metadata` is added to the last part. Throws TypeError if the result has no stream. */
  constructor(result: Json | undefined, context: TaskContext, metadata: Json) {
    const stream = result?.["stream"] as { getReader?(): Reader } | null | undefined;
    if (typeof stream?.getReader !== "function") {
      throw new TypeError(`the model of ${JSON.stringify(context.provider)} returned no stream`);
    }
    this.#reader = stream.getReader();
    this.#context = context;
    this.#metadata = metadata;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<readonly Part[]>> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) {
        if (!this.#hasContent) throw this.#failure("the stream ended before its content", 502, undefined);
        if (!this.#hasFinished) this.#context.lease.settle("server_error");
        return { done: true, value: undefined };
      }
      const part = this.#read(value as Part);
      if (part === undefined) continue;
      this.#held.push(part);
      if (!this.#hasContent && isHeld(part) && this.#held.length < MAX_HELD) continue;
      this.#hasContent = true;
      return { done: false, value: this.#held.splice(0) };
    }
  }

  /** Cancels the stream of the model. */
  async return(): Promise<IteratorResult<readonly Part[]>> {
    await this.#reader.cancel();
    return { done: true, value: undefined };
  }

  /** Part to hand on; undefined: none. Throws the error of a stream that has failed before its content. */
  #read(part: Part): Part | undefined {
    const { lease } = this.#context;
    const type = part?.["type"];
    if (type === "error") {
      const error = part["error"];
      const { isRecognized, settlement } = classifyResult({ ok: false, error }, () => CLOCK.epochNow());
      if (this.#hasContent) lease.settle(isRecognized ? settlement : "server_error");
      else if (isRecognized) throw error;
      else throw this.#failure("the stream had an error", isInvalid(error) ? 400 : 502, error);
    }
    if (type === "ping" && !this.#hasContent) return undefined;
    if (type !== "finish") return part;
    this.#hasFinished = true;
    const usage = usageOf(part);
    lease.report(usage);
    const reason = part["finishReason"] as Json | string | undefined;
    const unified = typeof reason === "object" ? reason?.["unified"] : reason;
    const hasFailed = unified === "error" || (usage === undefined && (unified === "other" || unified === "unknown"));
    if (hasFailed && !this.#hasContent) throw this.#failure("the stream ended before its content", 502, undefined);
    if (unified === "error") lease.settle("server_error");
    return { ...part, providerMetadata: { ...(part["providerMetadata"] as Json), ...this.#metadata } };
  }

  #failure(problem: string, statusCode: number, cause: unknown): Error {
    const error = new Error(`${this.#context.provider}: ${problem}`, cause === undefined ? undefined : { cause });
    return Object.assign(error, { statusCode });
  }
}

/** True for a part without content. */
function isHeld(part: Part): boolean {
  return HELD.test(String(part?.["type"])) || part?.["delta"] === "";
}

/** True for an error that says that the request is invalid. */
function isInvalid(error: unknown): boolean {
  const { code, type } = ((error as Json | null | undefined)?.["error"] ?? error ?? {}) as Json;
  return [code, type].some((word) => typeof word === "string" && word.startsWith("invalid_"));
}
