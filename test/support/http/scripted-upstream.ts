// Model servers that answer by a script, in a process of their own, and tell what they saw.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** What happens on the connection after the headers, in this order; the response ends after the last step. */
export type Step = { readonly waitMs: number } | { readonly write: string } | { readonly cut: "reset" | "close" };

/** One answer. */
export interface Reply {
  /** Default 200; null: no headers, only the steps. */
  readonly status?: number | null;
  readonly headers?: { readonly [name: string]: string };
  readonly steps?: readonly Step[];
}

/** The first rule that holds answers; a rule without a bound always holds. */
export interface Rule {
  /** Holds for so many requests from the first on. */
  readonly requests?: number;
  /** Holds until so long after the first request. */
  readonly untilMs?: number;
  readonly reply: Reply;
}

export interface SeenRequest {
  /** Since the first request. */
  readonly atMs: number;
  readonly body: { readonly model?: string; readonly messages?: readonly unknown[] };
  /** Null while it is under way; "left": the client went before the end. */
  ending: "done" | "cut" | "left" | null;
  endedMs: number | null;
}

/** One scripted server as a test uses it. */
export interface Upstream {
  readonly url: string;
  seen(): Promise<readonly SeenRequest[]>;
  /** The same, once every request has ended: that a client has left takes a moment to arrive. */
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

  /** A new server that answers by these rules; its time starts with the first request. */
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
