// The live monitor of the demo: `npm run demo -- --monitor`.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { GrateLimiter } from "../src/index.ts";
import { monitorHandler } from "../src/monitor/index.ts";

/** A server on loopback that shows a limiter. */
export class DemoMonitor {
  readonly address: string;
  /** Resolves when a page has opened its stream. */
  readonly opened: Promise<void>;
  #handler: (request: Request) => Promise<Response> = async () => new Response("Not yet.", { status: 503 });

  private constructor(server: ReturnType<typeof createServer>) {
    this.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    this.opened = new Promise((resolve) => {
      server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
        if (incoming.headers.accept?.includes("event-stream")) resolve();
        void this.#answer(incoming, outgoing);
      });
    });
  }

  /** Starts the server. It does not keep the process alive. */
  static async open(): Promise<DemoMonitor> {
    const server = createServer().listen(0, "127.0.0.1").unref();
    await once(server, "listening");
    return new DemoMonitor(server);
  }

  /** Shows this limiter from now on. */
  watch(limiter: GrateLimiter): void {
    this.#handler = monitorHandler(limiter, { loopbackOnly: true, title: "grate-limiter demo" });
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const closed = new AbortController();
    outgoing.once("close", () => closed.abort());
    try {
      const { method = "GET", url = "/" } = incoming;
      const headers = incoming.headers as Record<string, string>;
      const request = new Request(`http://${headers["host"]}${url}`, { method, headers, signal: closed.signal });
      const response = await this.#handler(request);
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body === null) outgoing.end();
      else await pipeline(Readable.fromWeb(response.body as never), outgoing);
    } catch {
      // The page was closed.
      outgoing.end();
    }
  }
}
