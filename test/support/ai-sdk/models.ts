// Hand-written models of the AI SDK for the tests of routeModel.
import { GrateLimiter, type GrateLimiterOptions, type Limits } from "../../../src/index.ts";

export type Part = { readonly type: string; readonly [key: string]: unknown };
export type Call = { readonly abortSignal?: AbortSignal; readonly [key: string]: unknown };
export type Result = { readonly [key: string]: unknown };

export const USAGE = {
  inputTokens: { total: 12, noCache: 2, cacheRead: 10, cacheWrite: 0 },
  outputTokens: { total: 34, text: 34, reasoning: 0 },
};
export const STOP = { unified: "stop", raw: "stop" };
export const FINISH: Part = { type: "finish", finishReason: STOP, usage: USAGE };
export const START: readonly Part[] = [
  { type: "stream-start", warnings: [] },
  { type: "response-metadata", id: "1" },
  { type: "text-start", id: "t" },
];
export const text = (delta: string): Part => ({ type: "text-delta", id: "t", delta });
export const END: readonly Part[] = [{ type: "text-end", id: "t" }, FINISH];

/** Error of the AI SDK for a response. */
export function apiError(statusCode: number, responseHeaders: Result = {}, data: unknown = undefined): Error {
  const error = new Error(`status ${statusCode}`);
  return Object.assign(error, { name: "AI_APICallError", statusCode, responseHeaders, data });
}

/** Error of a `fetch` with a broken connection. */
export function brokenConnection(): Error {
  const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
  return new TypeError("terminated", { cause });
}

/** Stream of these parts, of which an error breaks it. A function is awaited, and its result is a part. */
export function streamOf(
  parts: readonly (Part | Error | ((call: Call) => Promise<Part>))[],
  call: Call = {},
  onCancel: () => void = () => {},
): ReadableStream<unknown> {
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      const part = parts[next++];
      if (part === undefined) controller.close();
      else if (part instanceof Error) controller.error(part);
      else controller.enqueue(typeof part === "function" ? await part(call) : part);
    },
    cancel: onCancel,
  });
}

/** Language model of version 3. `answer` returns the result of a call, or its parts. */
export function languageModel(
  modelId: string,
  answer: (call: Call) => Result | readonly (Part | Error | ((call: Call) => Promise<Part>))[] | Promise<Result>,
  more: object = {},
) {
  const calls: Call[] = [];
  const log = { cancelled: 0 };
  return {
    specificationVersion: "v3" as const,
    provider: "test",
    modelId,
    supportedUrls: {} as unknown,
    calls,
    log,
    doGenerate: async (call: Call): Promise<Result> => {
      calls.push(call);
      return (await answer(call)) as Result;
    },
    doStream: async (call: Call): Promise<Result> => {
      calls.push(call);
      const parts = await answer(call);
      if (!Array.isArray(parts)) return parts as Result;
      const onCancel = () => {
        log.cancelled++;
      };
      return { stream: streamOf(parts, call, onCancel), response: { headers: { "x-of": modelId } } };
    },
    ...more,
  };
}

export const ANSWER: Result = {
  content: [{ type: "text", text: "hi" }],
  finishReason: STOP,
  usage: USAGE,
  warnings: [],
};

const LIMITS: Limits = { itpm: 1_000_000, otpm: 1_000_000, concurrency: 2_000 };

/** Limiter that prefers its first provider, and the endings of its leases in order. */
export function modelFixture(
  names: readonly string[] = ["a", "b"],
  options: Partial<GrateLimiterOptions> & { readonly limits?: Limits } = {},
) {
  const { limits = LIMITS, ...rest } = options;
  const limiter = new GrateLimiter({
    providers: names.map((name, place) => ({ name, limits, priority: 10 - place })),
    capabilities: { chat: names },
    scoring: { quota: 0, health: 0, priority: 1, latency: 0 },
    ...rest,
  });
  const endings: string[] = [];
  limiter.on("leaseSettled", ({ lease, status }) => endings.push(`${lease.provider} ${status}`));
  limiter.on("leaseExpired", ({ lease }) => endings.push(`${lease.provider} expired`));
  return {
    limiter,
    endings,
    /** Tokens that are counted for a provider: input and output. */
    used: (name: string) =>
      (["input_tokens", "output_tokens"] as const).map(
        (dimension) => 1_000_000 - (limiter.remainingQuota(name, dimension) ?? Number.NaN),
      ),
    get inFlight() {
      return limiter.inspect().providers.reduce((sum, provider) => sum + provider.inFlight, 0);
    },
  };
}

/** All parts of a stream; an error that breaks it is the last. */
export async function partsOf(result: unknown): Promise<unknown[]> {
  const reader = (result as { readonly stream: ReadableStream<unknown> }).stream.getReader();
  const parts: unknown[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return parts;
      parts.push(value);
    }
  } catch (error) {
    return [...parts, error];
  }
}

/** Text of a stream. */
export function textOf(parts: readonly unknown[]): string {
  return (parts as Part[]).map((part) => (part.type === "text-delta" ? part["delta"] : "")).join("");
}
