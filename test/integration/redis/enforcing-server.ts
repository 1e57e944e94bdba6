// A provider in a process of its own port that enforces its limits by its own count.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Limits of the provider; Infinity: none. */
export interface Enforced {
  readonly kind: "window" | "fixed" | "bucket" | "places";
  readonly limit: number;
  readonly windowMs: number;
  /** Time that a request takes (ms). */
  readonly latencyMs: number;
}

/** The server and its counts. */
export class EnforcingServer {
  readonly #enforced: Enforced;
  readonly #server: Server;
  #arrivals: number[] = [];
  #tokens: number;
  #tokensAt = performance.now();
  #windowAt = -Infinity;
  #inWindow = 0;
  #inFlight = 0;
  /** Instants of the requests that were served, and of those above the limit. */
  served: number[] = [];
  refused: number[] = [];
  /** Served requests by the name of the process. */
  readonly byProcess = new Map<string, number>();

  constructor(enforced: Enforced) {
    this.#enforced = enforced;
    this.#tokens = enforced.limit;
    this.#server = createServer((request, response) => {
      const now = performance.now();
      if (!this.#accepts(now)) {
        this.refused.push(now);
        response.statusCode = 429;
        response.end();
        return;
      }
      this.served.push(now);
      const name = request.url!;
      this.byProcess.set(name, (this.byProcess.get(name) ?? 0) + 1);
      let isOpen = true;
      const end = () => {
        if (isOpen) this.#inFlight--;
        isOpen = false;
      };
      this.#inFlight++;
      response.once("close", end);
      setTimeout(() => {
        end();
        response.end("ok");
      }, enforced.latencyMs);
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #accepts(now: number): boolean {
    const { kind, limit, windowMs } = this.#enforced;
    switch (kind) {
      case "places":
        return this.#inFlight < limit;
      case "bucket":
        this.#tokens = Math.min(limit, this.#tokens + ((now - this.#tokensAt) * limit) / windowMs);
        this.#tokensAt = now;
        if (this.#tokens < 1) return false;
        this.#tokens--;
        return true;
      case "fixed": {
        const windowAt = Math.floor(now / windowMs);
        if (windowAt !== this.#windowAt) this.#inWindow = 0;
        this.#windowAt = windowAt;
        if (this.#inWindow >= limit) return false;
        this.#inWindow++;
        return true;
      }
      case "window": {
        const from = this.#arrivals.findIndex((at) => at > now - windowMs);
        this.#arrivals = from < 0 ? [] : this.#arrivals.slice(from);
        if (this.#arrivals.length >= limit) return false;
        this.#arrivals.push(now);
        return true;
      }
    }
  }
}
