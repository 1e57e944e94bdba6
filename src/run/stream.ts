import type { Capability } from "../provider/capability.ts";
import type { Request } from "../selection/request.ts";
import { Call } from "./call.ts";
import { ChunkStream, leave } from "./chunk-stream.ts";
import { UNKNOWN } from "./classify.ts";
import { read } from "./read.ts";
import type { StreamOptions } from "./run-options.ts";
import type { RunParts } from "./run-parts.ts";
import type { RunResult } from "./run-result.ts";
import type { Attempting, TaskContext } from "./task-context.ts";

/**
 * `run` for streams: fails over until the first chunk is there, never after, and holds the lease until the end. Rejects
 * as `run` does, and with a TypeError if the task gives no stream.
 */
export async function stream<Chunk>(
  parts: RunParts,
  capability: Capability,
  task: (context: TaskContext) => AsyncIterable<Chunk> | PromiseLike<AsyncIterable<Chunk>>,
  options: StreamOptions,
  request: Request,
): Promise<RunResult<AsyncIterableIterator<Chunk>>> {
  const call = new Call(parts, capability, options, request);
  const begin = async (context: Attempting) => {
    const iterable = await task(context);
    // A response that failed is no stream, and is judged for what it is.
    if (typeof read(iterable, Symbol.asyncIterator) !== "function") return iterable;
    const source = iterable[Symbol.asyncIterator]();
    // What came too late is not even begun.
    if (context.isAborted) {
      await leave(source);
      return iterable;
    }
    // A source that never gives anything would not be left otherwise.
    context.whenAborted = () => leave(source).catch(() => {});
    const first = await source.next();
    context.whenAborted = undefined;
    if (context.isAborted) return iterable;
    return new ChunkStream(call, context, iterable, source, first, options.chunkTimeoutMs);
  };
  const result = await call.serve<unknown>(begin, (result) => {
    const value = result.ok && result.value;
    if (value instanceof ChunkStream) return value.isOver ? call.judge({ ok: true, value: value.iterable }) : null;
    const verdict = call.judge(result);
    return verdict.status === "success" ? UNKNOWN : verdict;
  });
  const { value } = result;
  if (value instanceof ChunkStream) return { ...result, value };
  throw new TypeError("the task of stream() gave no async iterable: throw what went wrong, or give the stream", {
    cause: value,
  });
}
