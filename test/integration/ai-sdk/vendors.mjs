// Local servers that speak the dialects of OpenAI and Anthropic, with the faults of real vendors.
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const running = [];

const openai = {
  headers: { "openai-organization": "o", "x-ratelimit-limit-tokens": "90000", "x-ratelimit-remaining-tokens": "80000" },
  error: (status) => ({
    error: { message: `status ${status}`, type: status === 400 ? "invalid_request_error" : "server_error" },
  }),
  whole: (text) => ({
    ...{ id: "1", object: "chat.completion", created: 1, model: "m" },
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
  }),
  start: () => [openaiDelta({ role: "assistant", content: "" })],
  word: (word) => [openaiDelta({ content: word })],
  end: () => [
    openaiDelta({}, "stop"),
    {
      id: "1",
      object: "chat.completion.chunk",
      created: 1,
      model: "m",
      choices: [],
      usage: { prompt_tokens: 12, completion_tokens: 3 },
    },
    "[DONE]",
  ],
  toolCall: (name, input) => ({
    ...{ id: "1", object: "chat.completion", created: 1, model: "m" },
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1", type: "function", function: { name, arguments: JSON.stringify(input) } }],
        },
        finish_reason: "tool_calls",
      },
    ],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
  }),
};

function openaiDelta(delta, finish_reason = null) {
  return {
    id: "1",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
  };
}

const anthropic = {
  headers: { "anthropic-organization-id": "o" },
  error: (status) => ({
    type: "error",
    error: {
      type: { 400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error" }[status] ?? "api_error",
      message: `status ${status}`,
    },
  }),
  whole: (text) => ({
    ...{ id: "1", type: "message", role: "assistant", model: "m", stop_reason: "end_turn", stop_sequence: null },
    content: [{ type: "text", text }],
    usage: { input_tokens: 12, output_tokens: 3 },
  }),
  start: () => [
    { type: "message_start", message: { ...anthropic.whole(""), content: [], stop_reason: null } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  ],
  word: (word) => [{ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: word } }],
  end: () => [
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 3 } },
    { type: "message_stop" },
  ],
};

export const DIALECTS = { openai, anthropic };

/** Starts a server. `fault(request)` is its fault, or undefined; `words(body)` are the words of an answer. */
export async function vendor(
  dialectName,
  { fault = () => undefined, words = () => ["hello ", "from ", dialectName], pauseMs = 0 } = {},
) {
  const dialect = DIALECTS[dialectName];
  const seen = [];
  const state = { left: 0 };
  const server = createServer(async (request, response) => {
    response.on("error", () => {});
    response.on("close", () => {
      if (!response.writableFinished) state.left++;
    });
    let text = "";
    try {
      for await (const chunk of request) text += chunk;
    } catch {
      return;
    }
    const body = JSON.parse(text || "{}");
    seen.push({ url: request.url, body });
    const what = fault(body, seen.length);
    if (typeof what === "object") return send(response, 200, what, dialect.headers);
    if (typeof what === "number")
      return send(response, what, dialect.error(what), what === 429 ? { "retry-after": "30" } : {});
    if (what === "drop") return request.socket.destroy();
    const answer = words(body);
    if (!body.stream) return send(response, 200, dialect.whole(answer.join("")), dialect.headers);
    response.writeHead(200, { "content-type": "text/event-stream", ...dialect.headers });
    const write = (events) => {
      for (const event of events) {
        const name = event.type === undefined ? "" : `event: ${event.type}\n`;
        response.write(`${name}data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
      }
    };
    write(dialect.start());
    if (what === "break before text") {
      await sleep(10);
      return request.socket.destroy();
    }
    if (what === "error before text") {
      write(dialectName === "openai" ? [dialect.error(500)] : [anthropic.error(529)]);
      return response.end();
    }
    for (const [place, word] of answer.entries()) {
      if (what === "break after text" && place > 0) {
        await sleep(10);
        return request.socket.destroy();
      }
      write(dialect.word(word));
      if (pauseMs > 0) await sleep(pauseMs);
      if (response.destroyed) return;
    }
    write(dialect.end());
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const started = { dialect: dialectName, url: `http://127.0.0.1:${server.address().port}`, seen, state, server };
  running.push(started);
  return started;
}

function send(response, status, body, headers) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export async function closeVendors() {
  for (const { server } of running.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Chat model of the vendor, made by its real package. */
export function modelOf(sdk, { dialect, url }) {
  if (dialect === "openai") return sdk.createOpenAI({ apiKey: "k", baseURL: url }).chat("m");
  return sdk.createAnthropic({ apiKey: "k", baseURL: url })("m");
}

/** Resolves when the condition is true; rejects after 10 s. */
export async function eventually(condition, what) {
  for (let patience = 1_000; !condition(); patience--) {
    if (patience === 0) throw new Error(`it never became true: ${what}`);
    await sleep(10);
  }
}
