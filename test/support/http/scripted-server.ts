// A local HTTP server with scripted answers, for tests with real clients.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export interface ScriptedServer {
  readonly url: string;
  /** Number of requests. */
  readonly asked: number;
  /** Number of requests that the client gave up before they were answered. */
  readonly abandoned: number;
  close(): Promise<void>;
}

export async function scriptedServer(answer: Answer): Promise<ScriptedServer> {
  const seen = { asked: 0, abandoned: 0 };
  const server: Server = createServer((request, response) => {
    seen.asked++;
    response.on("close", () => {
      if (!response.writableEnded) seen.abandoned++;
    });
    request.resume().on("end", () => answer(response, request));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get asked() {
      return seen.asked;
    },
    get abandoned() {
      return seen.abandoned;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The URL of a port that refuses connections. */
export async function deadUrl(): Promise<string> {
  const server = await scriptedServer(() => {});
  await server.close();
  return server.url;
}

export function answering(status: number, headers: Record<string, string> = {}, body: unknown = {}): Answer {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

export const RESETS: Answer = (response) => response.socket!.resetAndDestroy();
export const SILENT: Answer = () => {};

/** Server-sent events, followed by the given ending. */
export function streaming(events: readonly unknown[], end: (response: ServerResponse) => void): Answer {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) {
      const type = (event as { type?: string }).type;
      response.write(`${type === undefined ? "" : `event: ${type}\n`}data: ${JSON.stringify(event)}\n\n`);
    }
    // The written data must be sent first.
    setTimeout(() => end(response), 30);
  };
}
