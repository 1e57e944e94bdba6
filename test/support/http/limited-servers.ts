// HTTP servers that enforce their limits, in a separate process: a busy client cannot slow them down, and they share
// nothing with the limiter under test.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { WindowAlgorithm } from "./server-limits.ts";

/** The limits of one server. A request must fit into all of them. */
export interface ServerPlan<Name extends string = string> {
  readonly name: Name;
  readonly windows: readonly WindowPlan[];
  /** Maximum number of requests between arrival and the end of their response. Default: unlimited. */
  readonly places?: number;
  /** Minimum and maximum processing time before the headers, ms. */
  readonly workMs: readonly [number, number];
}

/** An amount per window. The server draws the phase of a fixed window at random and does not publish it. */
export interface WindowPlan {
  readonly algorithm: WindowAlgorithm;
  readonly counts: "requests" | "tokens";
  readonly limit: number;
  readonly windowMs: number;
}

/** The arguments of the process. */
export interface Launch {
  readonly seed: number;
  readonly servers: readonly ServerPlan[];
  /** Maximum delay of the network in each direction. Each delay is uniform from 0. */
  readonly delayMs: number;
}

/** The requested answer (`?answer=`), for tests of failures: an HTTP status or one of the words. */
export type Answer = number | "silence" | "stream";

/** The requests that one server saw. */
export interface Seen {
  /** In order of arrival. */
  readonly requests: readonly SeenRequest[];
  /** The maximum number of requests between arrival and end of response. */
  readonly mostAtOnce: number;
}

export interface SeenRequest {
  /** The instant at which the request was counted or refused, Unix ms with fractions. */
  readonly at: number;
  readonly tokens: number;
  /** Status of the answer. A counted request can have any status except 429. */
  readonly status: number;
  /** The limit that refused the request. */
  readonly refusedBy?: string;
  /** True if the client closed the connection before the end of the response. */
  readonly isLeft: boolean;
}

/** The message of the process when it listens. */
export interface Listening {
  readonly urls: { readonly [name: string]: string };
  readonly controlUrl: string;
}

/** A running process of servers. Call `stop` at the end. */
export class LimitedServers<Name extends string = string> {
  readonly urls: { readonly [name in Name]: string };
  readonly #controlUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { urls, controlUrl }: Listening) {
    this.#child = child;
    this.urls = urls as { [name in Name]: string };
    this.#controlUrl = controlUrl;
  }

  static async launch<Name extends string>(
    launch: Launch & { readonly servers: readonly ServerPlan<Name>[] },
  ): Promise<LimitedServers<Name>> {
    const program = fileURLToPath(new URL("./limited-servers-program.ts", import.meta.url));
    const child = fork(program, [JSON.stringify(launch)], { execArgv: ["--import", "tsx"] });
    const died = once(child, "exit").then(([code]) => {
      throw new Error(`the servers' process ended with code ${code}`);
    });
    const [listening] = (await Promise.race([once(child, "message"), died])) as [Listening];
    // The process must end on request.
    died.catch(() => {});
    return new LimitedServers<Name>(child, listening);
  }

  /** The requests that each server saw since its start. */
  async seen(): Promise<{ readonly [name in Name]: Seen }> {
    const response = await fetch(this.#controlUrl);
    return (await response.json()) as { [name in Name]: Seen };
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
