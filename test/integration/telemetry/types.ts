// The types of the entries accept the real packages, also with TypeScript 5.4. Compiled against `dist`, never run.
import * as api from "@opentelemetry/api";
import { GrateLimiter } from "grate-limiter";
import { logEvents } from "grate-limiter/logging";
import * as otel from "grate-limiter/opentelemetry";
import * as prometheus from "grate-limiter/prometheus";
import { pino } from "pino";
import { Registry, register } from "prom-client";
import winston from "winston";

const limiter = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
otel.instrument(limiter, { meter: api.metrics.getMeter("m"), tracer: api.trace.getTracer("t"), api });
prometheus.instrument(limiter, { register });
prometheus.instrument(limiter, { register: new Registry() });
// @ts-expect-error: no registry
prometheus.instrument(limiter, { register: {} });
logEvents(limiter, pino());
logEvents(limiter, winston.createLogger());
logEvents(limiter, console);
// @ts-expect-error: no logger
logEvents(limiter, {});
