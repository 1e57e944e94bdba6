// Events of one call: queued, attemptStarted and attemptEnded of each attempt, callEnded.
import type { CallEvent, CallOutcome, LimiterEvents } from "../api/events.ts";
import type { RunOptions } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Capability } from "../provider/capability.ts";
import type { AttemptContext } from "./attempt-context.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/** The call that emits. */
interface Call {
  readonly parts: RunDependencies;
  readonly callId: number;
  readonly options: RunOptions;
  readonly capability: Capability;
  /** Time that the latest lease was waited for. */
  readonly waitedMs: number;
  /** Instant of the first acquire; NaN: it was refused immediately. */
  readonly startedAt: number;
}

/** Events of a call by name, without the fields that all of them have. */
type CallEvents = {
  readonly [E in keyof LimiterEvents as LimiterEvents[E] extends CallEvent ? E : never]: Omit<
    LimiterEvents[E],
    keyof CallEvent
  >;
};

/** Emits an event of the call. `details` is not called without a listener. */
export function emitCallEvent<E extends keyof CallEvents>(call: Call, name: E, details: () => CallEvents[E]): void {
  const { events } = call.parts.admission;
  if (!events.hasListener(name)) return;
  const { callId, options, capability } = call;
  const event = { callId, label: options.label ?? null, capability: capability.name, ...details() };
  events.emit(name, event as unknown as LimiterEvents[E]);
  events.flush();
}

/** Emits that a lease was granted for the attempt. */
export function emitAttemptStarted(call: Call, { provider, attempt }: AttemptContext): void {
  emitCallEvent(call, "attemptStarted", () => ({ provider, attempt, waitedMs: call.waitedMs }));
}

/** Emits that the attempt has ended with that status. */
export function emitAttemptEnded(
  call: Call,
  { provider, attempt, startedAt }: AttemptContext,
  status: StatusClass,
): void {
  emitCallEvent(call, "attemptEnded", () => {
    return { provider, attempt, status, latencyMs: call.parts.time.now - startedAt };
  });
}

/** Emits that the call has ended after that attempt. */
export function emitCallEnded(call: Call, outcome: CallOutcome, last: AttemptContext | undefined): void {
  emitCallEvent(call, "callEnded", () => {
    const durationMs = Number.isNaN(call.startedAt) ? 0 : call.parts.time.now - call.startedAt;
    return { outcome, provider: last?.provider ?? null, attempts: last?.attempt ?? 0, durationMs };
  });
}
