import { type GrateLimiter, NoAvailableProviders, RealClock } from "grate-limiter";
import { providersOf } from "./capability-providers.ts";
import { dialectOf } from "./dialects/dialects.ts";
import { attemptHttp, meanLatencyOf } from "./http-attempt.ts";
import { type HttpOptions, OutgoingRequest } from "./outgoing-request.ts";
import { syntheticRefusal } from "./synthetic-refusal.ts";
import { type Fetch, type WebInit, type WebResponse, web } from "./web.ts";

/** Options of `limitedFetch`. */
export interface LimitedFetchOptions<C extends string = string, P extends string = string> extends HttpOptions {
  readonly capability: C;
  readonly provider: P;
  /** Name of the vendor's dialect. Default: detected by the headers and the host. */
  readonly dialect?: string | undefined;
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
  const { capability, provider, maxWaitMs, attemptTimeoutMs, dialect } = options;
  const known = providersOf(limiter as never, capability);
  if (!known.includes(provider)) {
    throw new TypeError(
      `limitedFetch: provider: expected a provider of "${capability}" (${known.join(", ")}), got ${String(provider)}`,
    );
  }
  const clock = new RealClock();
  const meanLatencyMs = () => meanLatencyOf(limiter as never, provider);
  return async (input, init) => {
    const request = new OutgoingRequest(input, init as WebInit | undefined);
    const { host, signal: caller } = request;
    const needs = request.needs(options);
    const { inputTokens } = needs;
    const attempt = {
      input,
      init: request.init,
      caller,
      host,
      dialect,
      clock,
      meanLatencyMs,
      inputTokens,
      isFinal: true,
    };
    try {
      const { value } = await limiter.run(
        capability,
        (context): Promise<WebResponse> => attemptHttp(context, { ...attempt, fetch: options.fetch ?? web.fetch }),
        {
          ...(needs as object),
          only: [provider],
          maxWaitMs,
          attemptTimeoutMs,
          maxAttempts: 1,
          signal: caller as AbortSignal | undefined,
        },
      );
      return value as unknown as Response;
    } catch (error) {
      if (!NoAvailableProviders.is(error) || caller?.aborted) throw error;
      // The time limit of the attempt.
      if (error.attempts.length > 0) throw error.cause;
      return syntheticRefusal(
        error,
        dialectOf(dialect, () => null, host),
      ) as unknown as Response;
    }
  };
}
