// One attempt of a request: sends it, reads what the response says about limits, and ties the lease to the body.
//
//   before the headers   an abort ends the lease as its reason says; a thrown error is the error of the attempt
//   a failure            its body is read for the classification
//   a success            the lease is kept, and ends with the body
//
// Regimes: the final attempt of a request settles its own lease, because the caller gets its response whatever it is. Another
// one throws its failure, so that the call can go on to another provider.

import { classifyResult, type Settlement, type TaskContext, type TaskResult } from "grate-limiter";
import { dialectOf } from "./dialects/dialects.ts";
import { type FailedResponse, failedResponse, type Timers } from "./failed-response.ts";
import { type CallerSignals, RequestSignal } from "./request-signal.ts";
import { answerOf, BodyLease } from "./response-body.ts";
import { hasStream, withBody } from "./response-copy.ts";
import type { Fetch, WebInit, WebResponse, WebSignal } from "./web.ts";

/** Least time after which a plain abort before the headers can be a time-out of the client. */
const PATIENT_MS = 10_000;
const PATIENT_LATENCIES = 5;

/** Clock with timers and the Unix time. */
interface HttpClock extends Timers {
  epochNow(): number;
}

/** A request to one provider. */
interface HttpAttempt {
  readonly input: string | URL | Request;
  readonly init: WebInit | undefined;
  /** Signal of the caller. */
  readonly caller: WebSignal | undefined;
  readonly callers: CallerSignals;
  readonly host: string;
  readonly dialect: string | undefined;
  readonly fetch: Fetch;
  readonly clock: HttpClock;
  /** Stated input of the request. */
  readonly inputTokens: number | undefined;
  /** True if the caller gets the response whatever it is. */
  readonly isFinal: boolean;
  /** Mean latency of the provider; 0: unknown. */
  meanLatencyMs(): number;
  /** Called with a failure before it is thrown. */
  onFailure(failure: FailedResponse): void;
}

/** Makes the attempt. Throws FailedResponse for a failure that another provider can mend. */
export async function attemptHttp(context: TaskContext, attempt: HttpAttempt): Promise<WebResponse> {
  const { clock, caller, isFinal } = attempt;
  const { lease } = context;
  const attemptSignal = context.signal as unknown as WebSignal;
  const startedAt = clock.now();
  const settleFinally = (result: TaskResult): void => {
    if (isFinal) context.keep().settle(settlementOf(result, attempt));
  };
  const signal = new RequestSignal(attemptSignal, caller, attempt.callers);
  const onAbort = () => {
    // Settled before the call ends it as cancelled.
    if (caller?.aborted && hasTimedOut(caller.reason, clock.now() - startedAt, attempt)) lease.settle("timeout");
  };
  if (caller !== undefined) attemptSignal.addEventListener("abort", onAbort);
  let response: WebResponse;
  try {
    const init = { ...attempt.init, signal: signal.signal };
    response = (await attempt.fetch(attempt.input, init as RequestInit)) as unknown as WebResponse;
  } catch (error) {
    settleFinally({ ok: false, error });
    throw error;
  }
  const { headers, status } = response;
  const header = (name: string) => headers.get(name);
  const reported = dialectOf(attempt.dialect ?? context.dialect ?? undefined, header, attempt.host).reported(
    header,
    clock.epochNow(),
  );
  lease.headersReceived(reported.length > 0 ? { reported } : undefined);
  if (status >= 400) {
    const failure = await failedResponse(response, clock, signal);
    if (!isFinal) {
      attempt.onFailure(failure);
      throw failure;
    }
    settleFinally({ ok: false, error: failure });
    return failure.response;
  }
  if (!hasStream(response) || !response.ok) {
    // A redirect or an opaque response is no failure of the provider, and ends here, too.
    context.keep().settle(settlementOf({ ok: true, value: response }, attempt));
    return response;
  }
  const answer = answerOf(headers.get("content-type"), () => clock.epochNow(), attempt.inputTokens);
  const kept = new BodyLease(context.keep(), clock.now() - startedAt, answer);
  kept.onEnd = signal.follow((reason) => kept.leave(isTimeout(reason) ? "timeout" : "cancelled"));
  return withBody(response, kept.wrap(response.body));
}

function settlementOf(result: TaskResult, { clock }: HttpAttempt): Settlement {
  const { isRecognized, settlement } = classifyResult(result, () => clock.epochNow());
  // The limiter reports the result that no rule recognizes.
  return isRecognized ? settlement : ((result.ok ? result.value : result.error) as Settlement);
}

/** True if the caller's abort before the headers is a time-out. Clients abort without a reason when their time is over. */
function hasTimedOut(reason: unknown, hadMs: number, attempt: HttpAttempt): boolean {
  if (isTimeout(reason)) return true;
  return hadMs >= PATIENT_MS && hadMs >= PATIENT_LATENCIES * attempt.meanLatencyMs();
}

/** True if the reason of an abort is a time-out. Some clients abort with a text. */
function isTimeout(reason: unknown): boolean {
  if (typeof reason === "string") return /time-?d? ?out/i.test(reason);
  return classifyResult({ ok: false, error: reason }, () => 0).status === "timeout";
}
