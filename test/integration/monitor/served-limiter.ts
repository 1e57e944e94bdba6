// Limiters behind real servers: `node:http` with the adapter of the documentation, Express and Hono.
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { GrateLimiter, type GrateLimiterOptions } from "grate-limiter";
import { type MonitorOptions, monitorHandler } from "grate-limiter/monitor";
import { root } from "../../support/packed/packed-project.ts";
import { load, type Package } from "./browser.ts";

type Handler = (request: Request) => Promise<Response>;
type NodeListener = Parameters<typeof createServer>[1] & {};

/** The adapter as the documentation has it. */
export async function documentedAdapter(): Promise<(handler: Handler) => NodeListener> {
  const page = await readFile(join(root, "docs/guides/monitor.md"), "utf8");
  const block = /```ts\n([^`]*export function toNode[\s\S]*?)\nconst limiter/.exec(page)?.[1];
  if (block === undefined) throw new Error("docs/guides/monitor.md: the block with toNode is missing");
  const folder = join(root, ".cache/monitor");
  await mkdir(folder, { recursive: true });
  const path = join(folder, "node-adapter.ts");
  await writeFile(path, block);
  return ((await import(pathToFileURL(path).href)) as Package).toNode;
}

/** A limiter with a monitor on loopback. */
export class Served {
  readonly limiter: GrateLimiter;
  /** Number of calls of `inspect`: it grows only while a page is open. */
  inspections = 0;
  #server: Server | null = null;
  #port = 0;
  readonly #listener: NodeListener;

  constructor(options: object, toNode: (handler: Handler) => NodeListener, more: Partial<MonitorOptions> = {}) {
    this.limiter = new GrateLimiter(options as GrateLimiterOptions);
    this.#listener = toNode(this.handler(more));
  }

  handler(more: Partial<MonitorOptions> = {}): Handler {
    const counted = {
      inspect: () => {
        this.inspections++;
        return this.limiter.inspect();
      },
      on: this.limiter.on.bind(this.limiter),
    };
    return monitorHandler(counted as unknown as GrateLimiter, { loopbackOnly: true, ...more });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Listens on the same port as before, if there was one. */
  async start(): Promise<void> {
    const server = createServer(this.#listener).listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks all connections. */
  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
    if (this.#server?.listening) await once(this.#server, "close");
    this.#server = null;
  }
}

/** Serves a handler with a framework. Returns the address of the monitor, and the function that ends the server. */
export async function serveWith(
  framework: "node:http" | "express" | "hono",
  handler: Handler,
  toNode: (handler: Handler) => NodeListener,
): Promise<{ readonly url: string; stop(): void }> {
  let server: Server;
  if (framework === "express") {
    const { default: express } = await load("express");
    const app = express();
    app.use("/monitor", toNode(handler));
    server = app.listen(0, "127.0.0.1");
  } else if (framework === "hono") {
    const { Hono } = await load("hono");
    const { serve } = await load("@hono/node-server");
    const app = new Hono();
    app.get("/monitor", (context: Package) => handler(context.req.raw));
    server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  } else {
    server = createServer(toNode(handler)).listen(0, "127.0.0.1");
  }
  if (!server.listening) await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/monitor`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
