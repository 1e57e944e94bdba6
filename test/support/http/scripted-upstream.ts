// Model servers with scripted answers in a separate process that reports their requests.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The events on the connection after the headers, in this order. The response ends after the last step. */
export type Step = { readonly waitMs: number } | { readonly write: string } | { readonly cut: "reset" | "close" };

/** One answer. */
export interface Reply {
  /** Default 200. null: no headers, only the steps. */
  readonly status?: number | null;
  readonly headers?: { readonly [name: string]: string };
  readonly steps?: readonly Step[];
}

/** The first matching rule answers. A rule without a bound always matches. */
export interface Rule {
  /** Matches this number of requests, from the first on. */
  readonly requests?: number;
  /** Matches until this time after the first request. */
  readonly untilMs?: number;
  readonly reply: Reply;
}

export interface SeenRequest {
  /** Milliseconds since the first request. */
  readonly atMs: number;
  readonly body: { readonly model?: string; readonly messages?: readonly unknown[] };
  /** null: in progress. "left": the client closed the connection before the end. */
  ending: "done" | "cut" | "left" | null;
  endedMs: number | null;
}

/** One scripted server, as a test uses it. */
export interface Upstream {
  readonly url: string;
  seen(): Promise<readonly SeenRequest[]>;
  /** The same requests after all have ended, because a closed connection is noticed a moment later. */
  ended(): Promise<readonly SeenRequest[]>;
}

/** The process of the servers. */
export class UpstreamProcess {
  readonly #url: string;
  readonly #child: ChildProcess;
  #scripts = 0;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async launch(): Promise<UpstreamProcess> {
    const program = fileURLToPath(new URL("./scripted-upstream-program.ts", import.meta.url));
    const child = fork(program, { execArgv: ["--import", "tsx"] });
    const died = once(child, "exit").then(([code]) => {
      throw new Error(`the servers' process ended with code ${code}`);
    });
    const [url] = (await Promise.race([once(child, "message"), died])) as [string];
    died.catch(() => {});
    return new UpstreamProcess(child, url);
  }

  /** Creates a server with these rules. Its time starts at the first request. */
  async upstream(...rules: readonly Rule[]): Promise<Upstream> {
    const name = `u${++this.#scripts}`;
    const control = `${this.#url}/control/${name}`;
    await fetch(control, { method: "POST", body: JSON.stringify(rules) });
    const seen = async () => (await (await fetch(control)).json()) as SeenRequest[];
    const ended = async () => {
      for (let patience = 100; patience > 0; patience--) {
        if ((await seen()).every(({ ending }) => ending !== null)) break;
        await sleep(20);
      }
      return seen();
    };
    return { url: `${this.#url}/${name}/v1/chat/completions`, seen, ended };
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
