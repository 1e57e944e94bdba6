// Answers of local servers in the dialects of the clients. Every answer states 12 input and 34 output tokens.
import type { ServerResponse } from "node:http";
import { answer, events, type Handler } from "../../support/http/fetch-fixture.ts";

/** Answers of one vendor. */
export interface Dialect {
  readonly ok: unknown;
  /** Events of a stream; the first two come before anything fails. */
  readonly stream: readonly unknown[];
  readonly overloadedEvent: unknown;
  error(status: number, code: string): unknown;
}

const message = "No.";
const usage = { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 };
const chunk = (content: string, finish_reason: string | null = null) => ({
  ...{ id: "c", object: "chat.completion.chunk", created: 1, model: "m" },
  choices: [{ index: 0, delta: { role: "assistant", content }, finish_reason }],
});

const openai: Dialect = {
  ok: {
    ...{ id: "c", object: "chat.completion", created: 1, model: "m", usage },
    choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  },
  stream: [chunk("a"), chunk("b"), chunk("", "stop"), { ...chunk(""), choices: [], usage }, "[DONE]"],
  overloadedEvent: { error: { message, type: "server_error", code: "server_is_overloaded" } },
  error: (_, code) => ({ error: { message, type: code, param: null, code } }),
};

const anthropicMessage = {
  id: "m",
  type: "message",
  role: "assistant",
  model: "m",
  stop_reason: null,
  stop_sequence: null,
};

const anthropic: Dialect = {
  ok: {
    ...anthropicMessage,
    ...{
      content: [{ type: "text", text: "hi" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 12, output_tokens: 34 },
    },
  },
  stream: [
    {
      type: "message_start",
      message: { ...anthropicMessage, content: [], usage: { input_tokens: 12, output_tokens: 1 } },
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hi" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 34 } },
    { type: "message_stop" },
  ],
  overloadedEvent: { type: "error", error: { type: "overloaded_error", message } },
  error: (_, code) => ({ type: "error", error: { type: code, message } }),
};

const geminiUsage = { promptTokenCount: 12, candidatesTokenCount: 34, totalTokenCount: 46 };
const part = (text: string, finishReason?: string) => ({
  candidates: [{ index: 0, content: { role: "model", parts: [{ text }] }, ...(finishReason && { finishReason }) }],
  usageMetadata: { ...geminiUsage, ...(finishReason === undefined && { candidatesTokenCount: 1 }) },
});

const gemini: Dialect = {
  ok: part("hi", "STOP"),
  stream: [part("a"), part("b"), part("c", "STOP")],
  overloadedEvent: { error: { code: 503, message, status: "UNAVAILABLE" } },
  error: (status, code) => ({ error: { code: status, message, status: code.toUpperCase() } }),
};

const cohereUsage = {
  billed_units: { input_tokens: 12, output_tokens: 34 },
  tokens: { input_tokens: 99, output_tokens: 99 },
};

const cohere: Dialect = {
  ok: {
    ...{ id: "c", finish_reason: "COMPLETE", usage: cohereUsage },
    message: { role: "assistant", content: [{ type: "text", text: "hi" }] },
  },
  stream: [
    { type: "message-start", id: "c", delta: { message: { role: "assistant", content: [] } } },
    { type: "content-delta", index: 0, delta: { message: { content: { text: "a" } } } },
    { type: "message-end", id: "c", delta: { finish_reason: "COMPLETE", usage: cohereUsage } },
  ],
  overloadedEvent: { type: "error", error: { type: "overloaded_error", message } },
  error: (_, code) => ({ message, code }),
};

export const DIALECTS = { openai, anthropic, gemini, cohere } satisfies { readonly [name: string]: Dialect };

/** Behaviour of a server and of the caller. `status`: class with which its lease is settled. */
export interface Case {
  readonly name: string;
  readonly does: "ask" | "stream" | "leave" | "time out" | "abort";
  readonly status: string;
  readonly handler: (dialect: Dialect) => Handler;
}

const refusal = (status: number, code: string, headers: () => { readonly [name: string]: string } = () => ({})) => {
  return (dialect: Dialect): Handler =>
    (response, seen) =>
      answer(status, dialect.error(status, code), headers())(response, seen);
};
const date = () => new Date(Date.now() + 2_000).toUTCString();
const broken = (response: ServerResponse) => response.destroy();
const open = () => {};

export const CASES: readonly Case[] = [
  { name: "ok", does: "ask", status: "success", handler: ({ ok }) => answer(200, ok) },
  { name: "SSE ok", does: "stream", status: "success", handler: ({ stream }) => events(stream) },
  {
    ...{ name: "429 in ms", does: "ask", status: "rate_limited" },
    handler: refusal(429, "rate_limit_error", () => ({ "retry-after-ms": "300" })),
  },
  {
    ...{ name: "429 in s", does: "ask", status: "rate_limited" },
    handler: refusal(429, "rate_limit_error", () => ({ "retry-after": "1" })),
  },
  {
    ...{ name: "429 by date", does: "ask", status: "rate_limited" },
    handler: refusal(429, "rate_limit_error", () => ({ "retry-after": date() })),
  },
  { name: "503", does: "ask", status: "overloaded", handler: refusal(503, "service_unavailable") },
  { name: "529", does: "ask", status: "overloaded", handler: refusal(529, "overloaded_error") },
  { name: "401", does: "ask", status: "unauthorized", handler: refusal(401, "authentication_error") },
  { name: "billing", does: "ask", status: "quota_exhausted", handler: refusal(429, "insufficient_quota") },
  { name: "400", does: "ask", status: "client_error", handler: refusal(400, "invalid_request_error") },
  { name: "dropped before headers", does: "ask", status: "server_error", handler: () => broken },
  {
    ...{ name: "dropped in mid-stream", does: "stream", status: "server_error" },
    handler: ({ stream }) => events(stream.slice(0, 2), broken),
  },
  {
    ...{ name: "error event", does: "stream", status: "overloaded" },
    handler: ({ stream, overloadedEvent }) => events([...stream.slice(0, 2), overloadedEvent]),
  },
  {
    ...{ name: "left early", does: "leave", status: "cancelled" },
    handler: ({ stream }) => events(stream.slice(0, 2), (response) => setTimeout(() => response.end(), 600)),
  },
  { name: "client time-out", does: "time out", status: "timeout", handler: () => open },
  { name: "user abort", does: "abort", status: "cancelled", handler: () => open },
];
