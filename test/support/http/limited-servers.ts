// HTTP servers that enforce their limits, in a process of their own: neither can a busy client slow them down, nor can
// they know anything of the limiter that is tested against them.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { WindowAlgorithm } from "./server-limits.ts";

/** What one server enforces; several limits must all have room. */
export interface ServerPlan<Name extends string = string> {
  readonly name: Name;
  readonly windows: readonly WindowPlan[];
  /** Most requests between arrival and the end of their response; default unlimited. */
  readonly places?: number;
  /** Shortest and longest work on a request before its headers, ms. */
  readonly workMs: readonly [number, number];
}

/** An amount per window; the phase of a fixed window is drawn by the server and told to nobody. */
export interface WindowPlan {
  readonly algorithm: WindowAlgorithm;
  readonly counts: "requests" | "tokens";
  readonly limit: number;
  readonly windowMs: number;
}

/** What the servers' process is started with. */
export interface Launch {
  readonly seed: number;
  readonly servers: readonly ServerPlan[];
  /** Longest delay of the network in each direction; each is uniform from 0. */
  readonly delayMs: number;
}

/** How a request asks to be answered, for tests of what goes wrong. `?answer=`; an HTTP status, or one of the words. */
export type Answer = number | "silence" | "stream";

/** What one server saw. */
export interface Seen {
  /** In order of arrival. */
  readonly requests: readonly SeenRequest[];
  /** The most that stood between arrival and end of response. */
  readonly mostAtOnce: number;
}

export interface SeenRequest {
  /** When it was counted or refused, Unix ms with fractions. */
  readonly at: number;
  readonly tokens: number;
  /** Of the answer; a request that was counted has any but 429. */
  readonly status: number;
  /** Which limit refused it. */
  readonly refusedBy?: string;
  /** True if the client went before the response had ended. */
  readonly isLeft: boolean;
}

/** What the process tells when it listens. */
export interface Listening {
  readonly urls: { readonly [name: string]: string };
  readonly controlUrl: string;
}

/** A running process of servers; `stop` it when done. */
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
    // It is expected to end when it is told to.
    died.catch(() => {});
    return new LimitedServers<Name>(child, listening);
  }

  /** What each server saw since the launch. */
  async seen(): Promise<{ readonly [name in Name]: Seen }> {
    const response = await fetch(this.#controlUrl);
    return (await response.json()) as { [name in Name]: Seen };
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
