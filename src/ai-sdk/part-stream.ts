import type { Part } from "./part-batches.ts";

/** Parts that are read ahead: about 64 KiB of events, so that a stream that is not read to its end ends its lease, too. */
const READ_AHEAD = 256;

interface Controller {
  enqueue(part: Part): void;
  close(): void;
}

interface Source {
  pull(controller: Controller): Promise<void>;
  cancel(): Promise<unknown>;
}

/** Globals of the runtime. */
const web: {
  readonly ReadableStream: new (source: Source, strategy: { readonly highWaterMark: number }) => object;
} = globalThis as never;

/** ReadableStream of the parts. Cancelling it leaves the batches. */
export function partStream(batches: AsyncIterableIterator<readonly Part[]>): object {
  return new web.ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await batches.next();
        if (done) controller.close();
        else for (const part of value) controller.enqueue(part);
      },
      cancel: () => batches.return!(),
    },
    { highWaterMark: READ_AHEAD },
  );
}
