import type { FairnessOptions, GrateLimiter, SelectOptions, StreamOptions, TaskContext } from "grate-limiter";
import { classifyHttp } from "grate-limiter/http";
import { demandOf, usageOf } from "./call-demand.ts";
import { commonLimits } from "./common-limits.ts";
import { commonKind } from "./model-kind.ts";
import type { AnyModel, CallOptionsOf, Json, RoutableModel, RoutedModel } from "./model-types.ts";
import { PartBatches } from "./part-batches.ts";
import { partStream } from "./part-stream.ts";

/** Needs of one call of a model: amounts, providers, place in the queue. Amounts that are left out are read from the call. */
export interface ModelNeeds<P extends string = string> extends SelectOptions<P>, FairnessOptions {
  /** Position in the wait queue: larger goes first. Default 0. */
  priority?: number | undefined;
  /** Name of the call in the events of the limiter. */
  label?: string | undefined;
}

/** Options of `routeModel`: those of `stream`, for all calls of the model, except signal and amounts. */
export interface RouteModelOptions<P extends string = string, CallOptions = unknown>
  extends Omit<StreamOptions<P>, "signal" | keyof SelectOptions> {
  /** Returns the needs of a call by the options with which the AI SDK calls a model. Default: those that the call states. */
  needs?: ((options: CallOptions) => ModelNeeds<P>) | undefined;
  /** True if a provider's model can serve a call, for example its tools or images. Default: each can serve all calls. */
  supports?: ((provider: P, options: CallOptions) => boolean) | undefined;
}

type AnyLimiter = Pick<GrateLimiter, "run" | "stream" | "explain">;

/**
 * Returns a model of the AI SDK that is served by whichever provider has capacity, with the model of that provider. `models`
 * has one model for each provider of the capability: language, embedding, image, transcription or speech models, all of one
 * kind and one version of the specification. A call fails over until its first content, and rejects as `run` does:
 * NoAvailableProviders if no provider has served it, which the AI SDK does not repeat. `providerMetadata.grateLimiter` has the
 * provider and the number of attempts. Throws TypeError with all problems of the models, and UnknownCapability.
 */
export function routeModel<
  P extends string,
  Routes extends Record<string, P>,
  C extends keyof Routes & string,
  Models extends { readonly [K in Routes[C]]: RoutableModel },
>(
  limiter: GrateLimiter<P, Routes>,
  capability: C,
  models: Models & { readonly [K in Exclude<keyof Models, Routes[C]>]: never },
  options: RouteModelOptions<Routes[C], CallOptionsOf<Models[keyof Models]>> = {},
): RoutedModel<Models[keyof Models]> {
  const known = { ...models } as unknown as { readonly [provider: string]: AnyModel };
  const any = limiter as unknown as AnyLimiter;
  const kind = commonKind(providersOf(any, capability), known);
  const names = Object.keys(known);
  const { needs, supports, chunkTimeoutMs, ...shared } = options as unknown as RouteModelOptions<string, Json>;

  const optionsOf = (call: Json) => {
    const { only = names, ...stated } = needs?.(call) ?? {};
    return {
      ...{ ...shared, ...demandOf(call), ...stated },
      only: names.filter((name) => only.includes(name) && isTrue(supports?.(name, call) ?? true)),
      signal: call["abortSignal"] as AbortSignal | undefined,
    };
  };

  /** Calls the model of the provider, and reports the limits in the headers of its response or its error. */
  const attempt = async (method: "doGenerate" | "doStream" | "doEmbed", call: Json, context: TaskContext) => {
    const { provider, signal, lease } = context;
    const report = (ok: boolean, outcome: unknown) => {
      const result = ok ? { ok, value: outcome } : { ok, error: outcome };
      const reported = classifyHttp(result as Parameters<typeof classifyHttp>[0])?.reported;
      if (reported !== undefined || (ok && method === "doStream")) lease.headersReceived({ reported });
    };
    try {
      const result = await known[provider]![method]!({ ...call, abortSignal: signal });
      report(true, result);
      return result;
    } catch (error) {
      report(false, error);
      throw error;
    }
  };

  const whole = (method: "doGenerate" | "doEmbed") => async (call: Json) => {
    const task = async (context: TaskContext) => {
      const result = await attempt(method, call, context);
      context.lease.report(usageOf(result));
      return result;
    };
    const { value, provider, attempts } = await any.run(capability, task, optionsOf(call));
    const served = { provider, attempts: attempts.length };
    // The AI SDK expects a list with the metadata of each image.
    const images = kind === "image" && { images: Array.from((value?.["images"] ?? []) as Json[], () => served) };
    const metadata = { grateLimiter: { ...served, ...images } };
    return { ...value, providerMetadata: { ...(value?.["providerMetadata"] as Json), ...metadata } };
  };

  const doStream = async (call: Json) => {
    const results: Json[] = [];
    const task = async (context: TaskContext) => {
      const result = await attempt("doStream", call, context);
      const { provider, attempt: attempts } = context;
      // By number, because an attempt that has timed out can return later than the one that has served.
      results[attempts] = result;
      return new PartBatches(result, context, { grateLimiter: { provider, attempts } });
    };
    const { value, attempts } = await any.stream(capability, task, { ...optionsOf(call), chunkTimeoutMs });
    return { ...results[attempts.length], stream: partStream(value) };
  };

  const method = kind === "embedding" ? "doEmbed" : "doGenerate";
  const routed = {
    specificationVersion: known[names[0]!]?.["specificationVersion"],
    provider: "grate-limiter",
    modelId: capability,
    [method]: whole(method),
    ...(kind === "language" && { doStream }),
  };
  // Getters stay getters.
  Object.defineProperties(routed, Object.getOwnPropertyDescriptors(commonLimits(kind, Object.values(known))));
  return routed as unknown as RoutedModel<Models[keyof Models]>;
}

/** Names of the providers of a capability. Throws UnknownCapability. */
function providersOf(limiter: AnyLimiter, capability: string): readonly string[] {
  // A request that no provider may take is refused with a reason for each.
  const { refusal } = limiter.explain(capability, { only: [] });
  return refusal?.reasons.map(({ provider }) => provider) ?? [];
}

/** Result of `supports`. Throws TypeError for a promise, which would always count as true. */
function isTrue(answer: boolean): boolean {
  if (typeof answer === "boolean") return answer;
  throw new TypeError(`routeModel: supports: expected true or false, got ${answer === null ? "null" : typeof answer}`);
}
