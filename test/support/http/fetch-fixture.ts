// Local servers and a limiter for the tests of limitedFetch and routedFetch.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { GrateLimiter, type GrateLimiterOptions, type Limits } from "../../../src/index.ts";

/** A request as a server has seen it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Handler = (response: ServerResponse, seen: Seen) => unknown;

export interface FetchServer {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** Number of connections that the client closed before the response had ended. */
  readonly left: number;
  close(): Promise<void>;
}

const running: FetchServer[] = [];

/** Starts a server, which `closeServers` closes. */
export async function serve(handler: Handler): Promise<FetchServer> {
  const seen: Seen[] = [];
  let left = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    response.on("close", () => {
      if (!response.writableFinished) left++;
    });
    request.on("error", () => {});
    try {
      for await (const chunk of request) body += chunk;
    } catch {
      return;
    }
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body });
    handler(response, seen.at(-1)!);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const started: FetchServer = {
    url: `http://127.0.0.1:${port}`,
    seen,
    get left() {
      return left;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  running.push(started);
  return started;
}

export async function closeServers(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.close()));
}

/** Answers with a status, headers and a JSON body. */
export function answer(status: number, body: unknown = {}, headers: { readonly [name: string]: string } = {}): Handler {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Answers with server-sent events, and then calls `end`; default: a regular end. */
export function events(
  list: readonly unknown[],
  end: (response: ServerResponse) => unknown = (response) => response.end(),
): Handler {
  return async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of list) {
      const data = typeof event === "string" ? event : JSON.stringify(event);
      const name = (event as { readonly type?: string }).type;
      response.write(`${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`);
    }
    // The events must be sent before the end.
    await sleep(20);
    end(response);
  };
}

export const CHAT = { choices: [{ message: { content: "hi" } }], usage: { prompt_tokens: 12, completion_tokens: 34 } };
export const delta = (content: string, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: { content }, finish_reason }],
});
export const USAGE = { choices: [], usage: { prompt_tokens: 12, completion_tokens: 34 } };

const LIMITS: Limits = { itpm: 1_000_000, otpm: 1_000_000, concurrency: 2_000 };

/** Limiter with the capability "chat", and the endings of its leases in order. */
export function fetchFixture<P extends string>(
  names: readonly P[],
  options: Omit<GrateLimiterOptions<P>, "providers" | "capabilities"> & { readonly limits?: Limits } = {},
) {
  const { limits = LIMITS, ...rest } = options;
  const limiter: GrateLimiter<P, { chat: P }> = new GrateLimiter<P, { chat: P }>({
    ...(rest as object),
    providers: names.map((name, place) => ({ name, limits, priority: 10 - place })),
    capabilities: { chat: names },
    scoring: { quota: 0, health: 0, priority: 1, latency: 0 },
  });
  const endings: string[] = [];
  limiter.on("leaseSettled", ({ lease, status }) => endings.push(`${lease.provider} ${status}`));
  limiter.on("leaseExpired", ({ lease }) => endings.push(`${lease.provider} expired`));
  return {
    limiter,
    endings,
    /** Tokens that are counted for a provider: input and output. */
    used: (name: P) => {
      const of = (dimension: "input_tokens" | "output_tokens") =>
        1_000_000 - (limiter.remainingQuota(name, dimension) ?? Number.NaN);
      return [of("input_tokens"), of("output_tokens")];
    },
    get inFlight() {
      return limiter.inspect().providers.reduce((sum, provider) => sum + provider.inFlight, 0);
    },
  };
}

/** Resolves when the condition is true; rejects after 5 s. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (let patience = 500; !condition(); patience--) {
    if (patience === 0) throw new Error("it never became true");
    await sleep(10);
  }
}
