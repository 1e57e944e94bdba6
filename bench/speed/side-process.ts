import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import type { Answer } from "./sides/answer-lines.ts";

/** Command and setup of a side. */
export interface Side {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** A slow side does one operation for every so many of the others; default 1. */
  readonly every?: number;
  readonly setup: unknown;
}

/** A running side. It idles between rounds, so that only one side works at a time. */
export class SideProcess {
  readonly side: Side;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: Interface;

  private constructor(side: Side) {
    this.side = side;
    this.#child = spawn(side.command, side.args, { stdio: ["pipe", "pipe", "inherit"] });
    // A side that does not start or fails is reported because its answer is missing.
    this.#child.on("error", () => {});
    this.#child.stdin!.on("error", () => {});
    this.#input = createInterface({ input: this.#child.stdout! });
    this.#lines = this.#input[Symbol.asyncIterator]();
  }

  /** Resolves when the side is ready. */
  static async start(side: Side): Promise<SideProcess> {
    const process = new SideProcess(side);
    await process.#ask(JSON.stringify(side.setup));
    return process;
  }

  /** Number of operations that this side does instead of `operations`. */
  operations(operations: number): number {
    return Math.max(1, Math.round(operations / (this.side.every ?? 1)));
  }

  /** ns per operation. */
  async round(operations: number): Promise<number> {
    const count = this.operations(operations);
    const { ns } = await this.#ask(String(count));
    return ns / count;
  }

  /** Check value of one operation. */
  async check(): Promise<number> {
    return (await this.#ask("1")).check;
  }

  end(): void {
    this.#input.close();
    this.#child.kill();
  }

  async #ask(line: string): Promise<Answer> {
    this.#child.stdin!.write(`${line}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.side.name}: the process ended without an answer`);
    return JSON.parse(value) as Answer;
  }
}
