import type { CallEvent } from "grate-limiter";
import type { ObservedLimiter } from "../telemetry/event-counts.ts";
import type { SpanAttributes, TelemetryApi, TelemetrySpan, TelemetryTracer } from "./api.ts";

/** `SpanKind` of OpenTelemetry. */
const INTERNAL = 0;
const CLIENT = 2;
/** `SpanStatusCode.ERROR` of OpenTelemetry. */
const ERROR = 2;

interface OpenCall {
  readonly span: TelemetrySpan;
  /** Context with the span. The attempts use it. */
  readonly context: never;
  attempt: TelemetrySpan | null;
}

/** Settings of the spans. */
export interface SpanSettings {
  readonly tracer: TelemetryTracer;
  readonly api: TelemetryApi;
  readonly limiter: string;
  readonly providerAttributes: { readonly [provider: string]: SpanAttributes };
}

/** Starts to write one span per call, with its attempts as children. Returns the function that stops and ends open spans. */
export function writeSpans(observed: ObservedLimiter, settings: SpanSettings): () => void {
  const { tracer, api, limiter, providerAttributes } = settings;
  const open = new Map<number, OpenCall>();
  const start = (name: string, kind: number, attributes: SpanAttributes, context: never) =>
    tracer.startSpan(name, { kind, attributes }, context) as TelemetrySpan;

  /** The first event of a call comes while the context of its caller is active. */
  const begin = ({ callId, capability, label }: CallEvent): OpenCall => {
    const attributes = {
      "grate_limiter.limiter": limiter,
      "grate_limiter.capability": capability,
      ...(label === null ? {} : { "grate_limiter.label": label }),
    };
    const context = api.context.active() as never;
    const span = start(`grate_limiter ${capability}`, INTERNAL, attributes, context);
    const call: OpenCall = { span, context: api.trace.setSpan(context, span as never) as never, attempt: null };
    open.set(callId, call);
    return call;
  };

  const stops = [
    observed.on("queued", (event) => {
      const call = open.get(event.callId) ?? begin(event);
      const reasons = new Set(event.reasons.map(({ provider, reason }) => `${provider} ${reason}`));
      call.span.addEvent("queued", { "grate_limiter.reasons": [...reasons].slice(0, 20).join(", ") });
    }),
    observed.on("attemptStarted", (event) => {
      const { callId, provider, attempt, waitedMs } = event;
      // A call that began before the instrumentation has no span.
      const call = open.get(callId) ?? (attempt === 1 ? begin(event) : null);
      if (call === null) return;
      const attributes = {
        "grate_limiter.provider": provider,
        "grate_limiter.attempt": attempt,
        "grate_limiter.waited_ms": waitedMs,
        ...(Object.hasOwn(providerAttributes, provider) ? providerAttributes[provider] : {}),
      };
      call.attempt = start(`attempt ${provider}`, CLIENT, attributes, call.context);
    }),
    observed.on("attemptEnded", ({ callId, status }) => {
      const call = open.get(callId);
      if (call === undefined || call.attempt === null) return;
      call.attempt.setAttributes({ "grate_limiter.status": status });
      if (status !== "success" && status !== "cancelled") fail(call.attempt, status);
      call.attempt.end();
      call.attempt = null;
    }),
    observed.on("callEnded", (event) => {
      const { callId, outcome, provider, attempts, durationMs } = event;
      let call = open.get(callId);
      if (call === undefined) {
        if (attempts > 0 || durationMs > 0) return;
        call = begin(event);
      }
      open.delete(callId);
      call.span.setAttributes({
        "grate_limiter.outcome": outcome,
        "grate_limiter.attempts": attempts,
        ...(provider === null ? {} : { "grate_limiter.provider": provider }),
      });
      if (outcome !== "value" && outcome !== "aborted" && outcome !== "stopped") fail(call.span, outcome);
      call.attempt?.end();
      call.span.end();
    }),
  ];
  return () => {
    for (const stop of stops.splice(0)) stop();
    for (const { span, attempt } of open.values()) {
      attempt?.end();
      span.end();
    }
    open.clear();
  };
}

function fail(span: TelemetrySpan, type: string): void {
  span.setAttributes({ "error.type": type });
  span.setStatus({ code: ERROR });
}
