import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** One request, as the server saw it. */
export interface Seen {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Status of the answer. 0: there was no answer. */
  readonly status: number;
}

/** The answer. `body` is sent as JSON unless it is a string. "silence": there is never an answer. */
export interface Answer {
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: unknown;
  readonly afterMs?: number;
}

/** Answers one request. `count` is the number of earlier requests. */
export type Handler = (request: Omit<Seen, "status">, count: number) => Answer | "silence";

/** An HTTP server on loopback with scripted answers that records its requests. */
export class Upstream {
  readonly seen: Seen[] = [];
  /** The maximum number of simultaneous requests. */
  mostAtOnce = 0;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async listen(handler: Handler): Promise<Upstream> {
    let atOnce = 0;
    const server = createServer(async (request, response) => {
      upstream.mostAtOnce = Math.max(upstream.mostAtOnce, ++atOnce);
      response.once("close", () => atOnce--);
      const url = new URL(request.url ?? "/", "http://upstream");
      const asked = {
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: await text(request),
      };
      const answer = handler(asked, upstream.seen.length);
      if (answer === "silence") {
        upstream.seen.push({ ...asked, status: 0 });
        return;
      }
      const { status, headers = {}, body = "", afterMs = 0 } = answer;
      upstream.seen.push({ ...asked, status });
      if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
      const isText = typeof body === "string";
      response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers });
      response.end(isText ? body : JSON.stringify(body));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const upstream = new Upstream(server);
    return upstream;
  }

  get statuses(): readonly number[] {
    return this.seen.map(({ status }) => status);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
