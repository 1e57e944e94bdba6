import { type GrateLimiter, NoAvailableProviders, RealClock, type RunDefaults } from "grate-limiter";
import { providersOf } from "./capability-providers.ts";
import { dialectOf } from "./dialects/dialects.ts";
import { FailedResponse } from "./failed-response.ts";
import { attemptHttp, meanLatencyOf } from "./http-attempt.ts";
import { type HttpOptions, hostOf, OutgoingRequest } from "./outgoing-request.ts";
import { syntheticRefusal } from "./synthetic-refusal.ts";
import { type RoutedTarget, targetRequest } from "./target-request.ts";
import { type Fetch, type WebInit, type WebResponse, web } from "./web.ts";

/** Options of `routedFetch`. */
export interface RoutedFetchOptions extends HttpOptions, Pick<RunDefaults, "maxAttempts" | "idempotent" | "timeoutMs"> {
  /** Base URL of the client. Needed only if it is neither the one of a target nor that of OpenAI. */
  readonly baseURL?: string | undefined;
}

/**
 * Returns a `fetch` that lets one client use several vendors of one dialect, keys or deployments. Each request goes to a
 * provider that has capacity, with the base URL, the key and the model of its target, and fails over until a response is handed
 * on. A 400, 404 or 422 is handed on untouched; if all targets fail, so is the last response, or the last error is thrown. Throws
 * TypeError unless the targets are the providers of the capability, and UnknownCapability.
 */
export function routedFetch<
  P extends string,
  Routes extends Record<string, P>,
  C extends keyof Routes & string,
  Targets extends { readonly [K in Routes[C]]: RoutedTarget },
>(
  limiter: GrateLimiter<P, Routes>,
  capability: C,
  targets: Targets & { readonly [K in Exclude<keyof Targets, Routes[C]>]: never },
  options: RoutedFetchOptions = {},
): Fetch {
  const known: { readonly [provider: string]: RoutedTarget } = targets;
  const only = Object.keys(known) as Routes[C][];
  checkTargets(providersOf(limiter as never, capability), known);
  const clock = new RealClock();
  const { baseURL, maxWaitMs, attemptTimeoutMs, maxAttempts, idempotent, timeoutMs } = options;
  const bases = [...(baseURL === undefined ? [] : [baseURL]), ...Object.values(known).map((target) => target.baseURL)];
  return async (input, init) => {
    const request = new OutgoingRequest(input, init as WebInit | undefined);
    const { signal: caller, isRepeatable } = request;
    const needs = request.needs(options);
    const { inputTokens } = needs;
    let failure: FailedResponse | undefined;
    let isSent = false;
    try {
      const { value } = await limiter.run(
        capability,
        async (context): Promise<WebResponse> => {
          failure?.drop();
          const target = known[context.provider]!;
          const sent = targetRequest(request, target, bases);
          const meanLatencyMs = () => meanLatencyOf(limiter as never, context.provider);
          isSent = true;
          const own = { host: hostOf(sent.url), dialect: target.dialect, fetch: options.fetch ?? web.fetch };
          try {
            const attempt = { ...sent, ...own, caller, clock, meanLatencyMs, inputTokens, isFinal: !isRepeatable };
            return await attemptHttp(context, attempt);
          } catch (error) {
            failure = error instanceof FailedResponse ? error : undefined;
            throw error;
          }
        },
        {
          ...(needs as object),
          ...{ only, maxWaitMs, attemptTimeoutMs, maxAttempts, idempotent, timeoutMs },
          signal: caller as AbortSignal | undefined,
        },
      );
      return value as unknown as Response;
    } catch (error) {
      const isRefusal = NoAvailableProviders.is(error) && !caller?.aborted;
      if (isRefusal && !isSent) {
        return syntheticRefusal(
          error,
          dialectOf(undefined, () => null, request.host),
        ) as unknown as Response;
      }
      const last = isRefusal ? error.cause : error;
      if (last instanceof FailedResponse) return last.response as unknown as Response;
      throw last;
    }
  };
}

/** Throws TypeError with all problems. */
function checkTargets(providers: readonly string[], targets: { readonly [provider: string]: RoutedTarget }): void {
  const problems = [
    ...providers
      .filter((provider) => !Object.hasOwn(targets, provider))
      .map((provider) => `${provider}: expected a target, got none`),
    ...Object.entries(targets).flatMap(([provider, target]) => {
      if (!providers.includes(provider)) return [`${provider}: expected a provider of the capability`];
      return isUrl(target?.baseURL) ? [] : [`${provider}.baseURL: expected a URL, got ${String(target?.baseURL)}`];
    }),
  ];
  if (problems.length > 0) throw new TypeError(`routedFetch: targets:\n  ${problems.join("\n  ")}`);
}

function isUrl(text: unknown): boolean {
  try {
    return new web.URL(text as string).origin !== "null";
  } catch {
    return false;
  }
}
