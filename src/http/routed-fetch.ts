import type { GrateLimiter, RunDefaults } from "grate-limiter";
import { type AnyLimiter, fetchThrough, providersOf } from "./http-call.ts";
import type { HttpOptions, OutgoingRequest } from "./outgoing-request.ts";
import { type RoutedTarget, targetRequest } from "./target-request.ts";
import { type Fetch, web } from "./web.ts";

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
  const any = limiter as unknown as AnyLimiter;
  checkTargets(providersOf(any, capability), known);
  const { baseURL } = options;
  const bases = [...(baseURL === undefined ? [] : [baseURL]), ...Object.values(known).map((target) => target.baseURL)];
  const requestTo = (provider: string, request: OutgoingRequest) => targetRequest(request, known[provider]!, bases);
  const calls = { capability, only: Object.keys(known), isFinal: false, dialect: undefined, requestTo };
  return fetchThrough(any, calls, options);
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
