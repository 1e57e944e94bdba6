import type { MapResult } from "../../src/index.ts";
import type { RunFixture } from "./run-fixture.ts";

export type Results<Item, T> = MapResult<Item, T>[];

export async function collect<Item, T>(results: AsyncIterable<MapResult<Item, T>>): Promise<Results<Item, T>> {
  const collected: Results<Item, T> = [];
  for await (const result of results) collected.push(result);
  return collected;
}

export const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** A source that counts the calls of its methods. */
export class CountedSource implements AsyncIterable<number> {
  readonly #count: number;
  pulled = 0;
  returned = 0;
  readonly #at: (index: number) => unknown;

  constructor(count: number, at: (index: number) => unknown = () => undefined) {
    this.#count = count;
    this.#at = at;
  }

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: async () => {
        await this.#at(this.pulled);
        return this.pulled < this.#count ? { done: false, value: this.pulled++ } : { done: true, value: undefined };
      },
      return: async () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A task that takes the given number of milliseconds on the clock. */
export const delayedTask =
  ({ clock }: RunFixture, ms: number) =>
  (item: number) =>
    new Promise<number>((resolve) => void clock.wakeAt(clock.now() + ms, () => resolve(item * 2)));
