import { once } from "node:events";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { Arrival } from "./workload.ts";

/** The answer of a server to one request, in the shape of a `fetch` response. */
export interface Reply {
  readonly ok: boolean;
  /** HTTP status code. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
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
  const { statusCode: status = 0, headers } = response;
  return { ok: status === 200, status, headers };
}
