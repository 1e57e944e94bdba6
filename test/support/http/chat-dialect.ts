// The responses of the model servers in the usual dialect, and a small client that reads them.
import type { Reply, Step } from "./scripted-upstream.ts";

/** A complete answer that is not streamed. */
export function completion(
  model: string,
  text = `by ${model}`,
  usage = { prompt_tokens: 12, completion_tokens: 34 },
): Reply {
  const body = { model, usage, choices: [{ message: { role: "assistant", content: text }, finish_reason: "stop" }] };
  return { headers: { "content-type": "application/json" }, steps: [{ write: JSON.stringify(body) }] };
}

/** An error with the usual body. */
export function failure(status: number, code: string, headers: { readonly [name: string]: string } = {}): Reply {
  const write = JSON.stringify({ error: { code, message: `it was ${code}` } });
  return { status, headers: { "content-type": "application/json", ...headers }, steps: [{ write }] };
}

/** A streamed answer. */
export function streamed(...steps: readonly Step[]): Reply {
  return { headers: { "content-type": "text/event-stream" }, steps };
}

/** Tokens `from` to `to`, one event each: "t0", "t1" and so on. */
export function tokens(from: number, to: number, model = "primary-model"): Step[] {
  return Array.from({ length: to - from }, (_, i) =>
    event({ model, choices: [{ delta: { content: `t${from + i}` } }] }),
  );
}

/** The last event of an answer, with its finish reason and its usage. */
export function finish(reason: string, model = "primary-model"): Step {
  const usage = { prompt_tokens: 12, completion_tokens: 34 };
  return event({ model, usage, choices: [{ delta: {}, finish_reason: reason }] });
}

export const DONE: Step = { write: "data: [DONE]\n\n" };

function event(data: unknown): Step {
  return { write: `data: ${JSON.stringify(data)}\n\n` };
}

/** One event of a streamed answer, as a caller needs it. */
export interface Piece {
  readonly text: string;
  readonly model: string;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** An error as SDKs throw it: the status, the headers and the content of the body. */
export class ApiError extends Error {
  readonly status: number;
  readonly headers: Headers;

  constructor(response: Response, body: string) {
    super(body);
    this.status = response.status;
    this.headers = response.headers;
  }
}

/** Sends a request of the usual kind. Resolves with any response, as `fetch` does. */
export function ask(url: string, model: string, signal: AbortSignal): Promise<Response> {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] });
  return fetch(url, { method: "POST", body, signal });
}

/** Sends a request and returns the answer in pieces. Throws an ApiError for an error response. */
export async function askStreaming(
  url: string,
  model: string,
  signal: AbortSignal,
  read: (body: ReadableStream<Uint8Array>) => AsyncGenerator<Piece> = pieces,
): Promise<AsyncGenerator<Piece>> {
  const response = await ask(url, model, signal);
  if (!response.ok || response.body === null) throw new ApiError(response, await response.text());
  return read(response.body);
}

/** Thrown if an answer ended without its regular end. */
export class CutShort extends Error {}

/** Reads to `[DONE]`, or to the end of the response if the answer had its finish reason. */
export async function* pieces(body: ReadableStream<Uint8Array>): AsyncGenerator<Piece> {
  let isFinished = false;
  for await (const data of events(body)) {
    if (data === "[DONE]") return;
    const piece = pieceOf(data);
    if (piece.finishReason !== null) isFinished = true;
    yield piece;
  }
  if (!isFinished) throw new CutShort("the answer ended without an end");
}

/** Like `pieces`, but the finish reason is the end. */
export async function* piecesUntilFinished(body: ReadableStream<Uint8Array>): AsyncGenerator<Piece> {
  for await (const piece of pieces(body)) {
    yield piece;
    if (piece.finishReason !== null) return;
  }
}

function pieceOf(data: string): Piece {
  const { model, usage, choices } = JSON.parse(data) as {
    model: string;
    usage?: Usage;
    choices: [{ delta: { content?: string }; finish_reason?: string }];
  };
  const [{ delta, finish_reason }] = choices;
  return { text: delta.content ?? "", model, finishReason: finish_reason ?? null, usage: usage ?? null };
}

/** The data of server-sent events. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.startsWith("data: ")) yield part.slice("data: ".length);
  }
}
