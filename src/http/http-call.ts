import { type GrateLimiter, NoAvailableProviders, RealClock, type RunDefaults } from "grate-limiter";
import { FailedResponse } from "./failed-response.ts";
import { attemptHttp } from "./http-attempt.ts";
import { type HttpOptions, hostOf, OutgoingRequest } from "./outgoing-request.ts";
import { refusalIn } from "./refusal-response.ts";
import { CallerSignals } from "./request-signal.ts";
import { type Fetch, type WebInit, type WebResponse, web } from "./web.ts";

/** Limiter with any names. */
export type AnyLimiter = Pick<GrateLimiter, "run" | "inspect" | "explain">;

/** Arguments of `fetch` for one provider. */
export interface SentRequest {
  readonly input: string | URL | Request;
  readonly init: WebInit | undefined;
  readonly url: string;
  readonly dialect: string | undefined;
}

/** Requests of one capability. */
interface HttpCalls {
  readonly capability: string;
  /** Providers that can serve them. */
  readonly only: readonly string[];
  /** True if a request is sent once, and its response is handed on whatever it is. */
  readonly isFinal: boolean;
  /** Dialect of refusals. */
  readonly dialect: string | undefined;
  requestTo(provider: string, request: OutgoingRequest): SentRequest;
}

/** Returns a `fetch` that waits for capacity and sends requests to the providers. */
export function fetchThrough(
  limiter: AnyLimiter,
  calls: HttpCalls,
  options: HttpOptions & Pick<RunDefaults, "maxAttempts" | "idempotent" | "timeoutMs">,
): Fetch {
  const { capability, only } = calls;
  const { maxWaitMs, attemptTimeoutMs, maxAttempts, idempotent, timeoutMs } = options;
  const clock = new RealClock();
  const callers = new CallerSignals();
  return async (input, init) => {
    const request = new OutgoingRequest(input, init as WebInit | undefined);
    const { signal: caller } = request;
    const needs = request.needs(options);
    const isFinal = calls.isFinal || !request.isRepeatable;
    let failure: FailedResponse | undefined;
    try {
      const { value } = await limiter.run(
        capability,
        (context): Promise<WebResponse> => {
          failure?.drop();
          const { provider } = context;
          const sent = calls.requestTo(provider, request);
          const { fetch = web.fetch } = options;
          return attemptHttp(context, {
            ...sent,
            ...{ fetch, clock, caller, callers, isFinal, host: hostOf(sent.url), inputTokens: needs.inputTokens },
            meanLatencyMs: () => limiter.inspect().providers.find(({ name }) => name === provider)?.latencyMs ?? 0,
            onFailure: (failed) => {
              failure = failed;
            },
          });
        },
        {
          ...needs,
          ...{ only, maxWaitMs, attemptTimeoutMs, maxAttempts, idempotent, timeoutMs },
          signal: caller as AbortSignal | undefined,
        },
      );
      return value as unknown as Response;
    } catch (error) {
      let last = error;
      if (NoAvailableProviders.is(error) && !caller?.aborted) {
        if (error.attempts.length === 0) {
          return refusalIn(calls.dialect ?? dialectIn(limiter, only), request.host, error);
        }
        last = error.cause;
      }
      if (last instanceof FailedResponse) return last.response as unknown as Response;
      throw last;
    }
  };
}

/** Dialect that all these providers declare; undefined: none, or several. */
function dialectIn(limiter: AnyLimiter, providers: readonly string[]): string | undefined {
  const declared = new Set(
    limiter.inspect().providers.flatMap(({ name, dialect }) => (providers.includes(name) ? [dialect] : [])),
  );
  const [dialect] = declared;
  return declared.size === 1 ? (dialect ?? undefined) : undefined;
}

/** Names of the providers of a capability. Throws UnknownCapability. */
export function providersOf(limiter: AnyLimiter, capability: string): readonly string[] {
  // A request that no provider may take is refused with a reason for each.
  const { refusal } = limiter.explain(capability, { only: [] });
  return refusal?.reasons.map(({ provider }) => provider) ?? [];
}
