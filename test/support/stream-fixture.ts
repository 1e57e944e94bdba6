import type { StreamOptions, TaskContext } from "../../src/index.ts";
import { never, type RunFixture } from "./run-fixture.ts";

/** A source that yields the given items. An Error is thrown, a number waits that many ms, "hang" waits for ever. */
export class Source implements AsyncIterable<string> {
  readonly #fixture: RunFixture;
  readonly #steps: readonly unknown[];
  returned = 0;
  pulled = 0;
  signal: AbortSignal | undefined;

  constructor(fixture: RunFixture, ...steps: readonly unknown[]) {
    this.#fixture = fixture;
    this.#steps = steps;
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    let place = 0;
    return {
      next: async () => {
        this.pulled++;
        while (typeof this.#steps[place] === "number") {
          const ms = this.#steps[place++] as number;
          await new Promise<void>(
            (resolve) => void this.#fixture.clock.wakeAt(this.#fixture.clock.now() + ms, resolve),
          );
        }
        const step = this.#steps[place++];
        if (step === "hang") await never();
        if (step instanceof Error) throw step;
        return step === undefined ? { done: true, value: undefined } : { done: false, value: step as string };
      },
      return: async () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A stream with one source per attempt. */
export async function streamed(fixture: RunFixture, sources: readonly unknown[], options?: StreamOptions) {
  return fixture.limiter.stream(
    "chat",
    async ({ attempt, signal }: TaskContext) => {
      const source = sources[Math.min(attempt, sources.length) - 1];
      if (source instanceof Error) throw source;
      if (source instanceof Source) source.signal = signal;
      return source as AsyncIterable<string>;
    },
    options,
  );
}

export async function readAll(stream: AsyncIterable<string>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
