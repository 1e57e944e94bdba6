import type { DialectName, GrateLimiter } from "grate-limiter";
import { type AnyLimiter, fetchThrough, providersOf } from "./http-call.ts";
import type { HttpOptions, OutgoingRequest } from "./outgoing-request.ts";
import type { Fetch } from "./web.ts";

/** Options of `limitedFetch`. */
export interface LimitedFetchOptions<C extends string = string, P extends string = string> extends HttpOptions {
  readonly capability: C;
  readonly provider: P;
  /** Name of the vendor's dialect. Default: that of the provider, else detected by the headers and the host. */
  readonly dialect?: DialectName | undefined;
}

/**
 * Returns a `fetch` for the client of one provider. Each request waits for capacity, reports its limits and its usage, and
 * holds its lease until the body has ended. It is sent once. Without capacity the client gets a 429 with the time to wait,
 * or a 503. Throws TypeError for a provider that the capability does not have, and UnknownCapability.
 */
export function limitedFetch<P extends string, Routes extends Record<string, P>, C extends keyof Routes & string>(
  limiter: GrateLimiter<P, Routes>,
  options: LimitedFetchOptions<C, Routes[C]>,
): Fetch {
  const { capability, provider, dialect } = options;
  const any = limiter as unknown as AnyLimiter;
  const known = providersOf(any, capability);
  if (!known.includes(provider)) {
    throw new TypeError(
      `limitedFetch: provider: expected a provider of "${capability}" (${known.join(", ")}), got ${String(provider)}`,
    );
  }
  const requestTo = (_: string, { input, init, url }: OutgoingRequest) => ({ input, init, url, dialect });
  const calls = { capability, only: [provider], isFinal: true, dialect, requestTo };
  return fetchThrough(any, calls, { ...options, maxAttempts: 1 });
}
