import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CountsByServer, Order, Report, UrlByServer } from "./server-messages.ts";

/** The client's handle on the process that runs the servers. */
export class ServerProcess {
  /** Where each server listens. */
  readonly urls: UrlByServer;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, urls: UrlByServer) {
    this.#child = child;
    this.urls = urls;
  }

  /** Starts the process and waits until all servers listen. */
  static async launch(): Promise<ServerProcess> {
    // The child inherits the loader that runs this TypeScript.
    const child = fork(fileURLToPath(new URL("./servers.ts", import.meta.url)));
    child.once("exit", (code) => {
      if (child.connected || code !== 0) throw new Error(`the server process exited with code ${code}`);
    });
    const report = await nextReport(child);
    if (report.kind !== "listening")
      throw new Error(`expected "listening" from the server process, got "${report.kind}"`);
    return new ServerProcess(child, report.urls);
  }

  /** Fresh limits and counts, the same phases for the same seed, the incident's time counted from now. */
  async start(seed: number, hasHeaders: boolean): Promise<void> {
    await this.#ask({ kind: "start", seed, hasHeaders });
  }

  /** The counts of each server since the start. */
  async counts(): Promise<CountsByServer> {
    const report = await this.#ask({ kind: "count" });
    if (report.kind !== "counted") throw new Error(`expected "counted" from the server process, got "${report.kind}"`);
    return report.counts;
  }

  /** Lets the process end; safe to call twice. */
  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #ask(order: Order): Promise<Report> {
    const report = nextReport(this.#child);
    this.#child.send(order);
    return report;
  }
}

async function nextReport(child: ChildProcess): Promise<Report> {
  const [report] = (await once(child, "message")) as [Report];
  return report;
}
