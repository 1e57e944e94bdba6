import type { RunResult, TaskContext } from "../api/attempt.ts";
import type { StreamOptions } from "../api/run-options.ts";
import { safeGet } from "../observation/safe-get.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { AttemptContext } from "./attempt-context.ts";
import { ChunkStream } from "./chunk-stream.ts";
import { UNKNOWN } from "./classification/classify.ts";
import { closeIterator, pullFrom } from "./close-iterator.ts";
import { FailoverLoop } from "./failover-loop.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/**
 * `run` for streams: fails over until the first chunk arrives and never after, and holds the lease until the stream ends.
 * Rejects as `run` does, and with TypeError if the task returns no async iterable.
 */
export async function stream<Chunk>(
  parts: RunDependencies,
  capability: Capability,
  task: (context: TaskContext) => AsyncIterable<Chunk> | PromiseLike<AsyncIterable<Chunk>>,
  options: StreamOptions,
  request: RequestSpec,
): Promise<RunResult<AsyncIterableIterator<Chunk>>> {
  const call = new FailoverLoop(parts, capability, options, request);
  const begin = async (context: AttemptContext) => {
    const iterable = await task(context);
    // A failed response is no stream, and is classified as the response that it is.
    if (typeof safeGet(iterable, Symbol.asyncIterator) !== "function") return iterable;
    const source = iterable[Symbol.asyncIterator]();
    if (context.isAborted) {
      await closeIterator(source);
      return iterable;
    }
    // Otherwise a source that never yields would stay open after an abort.
    context.onAbort = () => closeIterator(source).catch(() => {});
    const first = await pullFrom(source);
    context.onAbort = undefined;
    if (context.isAborted) return iterable;
    if (call.isErrorEvent(first)) {
      closeIterator(source).catch(() => {});
      throw first.value;
    }
    return new ChunkStream(call, context, iterable, source, first, options.chunkTimeoutMs);
  };
  const result = await call.serve<unknown>(begin, (result) => {
    const value = result.ok && result.value;
    if (value instanceof ChunkStream) return value.isOver ? call.classify({ ok: true, value: value.iterable }) : null;
    const verdict = call.classify(result);
    return verdict.status === "success" ? UNKNOWN : verdict;
  });
  const { value } = result;
  if (value instanceof ChunkStream) return { ...result, value };
  throw new TypeError(
    "the task of stream() returned no async iterable: return the stream, or throw an error with its status",
    {
      cause: value,
    },
  );
}
