import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import type { Arrival } from "./workload.ts";

/** A server's answer to one request. */
export interface Reply {
  /** HTTP status code. */
  readonly status: number;
  /** For how long the server asks to be left alone; undefined: it did not. */
  readonly retryAfterMs: number | undefined;
}

const agent = new Agent({ keepAlive: true, maxFreeSockets: 1_000 });

/** Sends one request over HTTP. */
export async function send(url: string, { id, tokens }: Pick<Arrival, "id" | "tokens">): Promise<Reply> {
  const call = request(`${url}?id=${id}&tokens=${tokens}`, { method: "POST", agent });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  // Read to its end, so that the connection is free for the next request.
  response.resume();
  await once(response, "end");
  return { status: response.statusCode!, retryAfterMs: retryAfterMsOf(response.headers) };
}

/** The exact time, if the server says it, else the one in whole seconds. */
function retryAfterMsOf(headers: IncomingMessage["headers"]): number | undefined {
  const exact = headers["retry-after-ms"];
  if (exact !== undefined) return Number(exact);
  const seconds = headers["retry-after"];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}
