// The queue of `map` and of the semaphore, compared with an array.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Queue, type QueueNode } from "../../../src/run/queue.ts";
import { Semaphore } from "../../../src/run/semaphore.ts";

describe("a queue", () => {
  it("a queue behaves like an array with push, shift and removal", () => {
    const operation = fc.record({
      kind: fc.constantFrom("push", "push", "shift", "remove", "clear"),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const queue = new Queue<number>();
        let model: QueueNode<number>[] = [];
        for (const [index, { kind, at }] of operations.entries()) {
          if (kind === "push") model.push(queue.push(index));
          else if (kind === "shift") expect(queue.shift()).toBe(model.shift()?.item);
          else if (kind === "clear") {
            queue.clear();
            model = [];
          } else if (model.length > 0) queue.remove(model.splice(at % model.length, 1)[0]!);
          expect(queue.isEmpty).toBe(model.length === 0);
        }
        for (const { item } of model) expect(queue.shift()).toBe(item);
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });
});

describe("a semaphore", () => {
  it("a semaphore grants permits in the order of the calls", async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    const all = [1, 2, 3, 4].map(async (id) => {
      await semaphore.acquire();
      order.push(id);
    });
    await Promise.all(all.slice(0, 2));
    expect(order).toEqual([1, 2]);
    semaphore.release();
    await all[2];
    semaphore.release();
    await all[3];
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it("a semaphore skips a caller that gave up, and resolves its acquire to false", async () => {
    const semaphore = new Semaphore(1);
    await semaphore.acquire();
    const giveUps: (() => void)[] = [];
    let cancelled = 0;
    const wait = () =>
      semaphore.acquire((giveUp) => {
        giveUps.push(giveUp);
        return () => {
          cancelled++;
        };
      });
    const waiting = [wait(), wait(), wait()];
    giveUps[1]!();
    semaphore.release();
    semaphore.release();
    expect(await Promise.all(waiting)).toEqual([true, false, true]);
    expect(cancelled).toBe(2);
  });

  it("a semaphore takes unused permits back", async () => {
    const semaphore = new Semaphore(1);
    for (let i = 0; i < 3; i++) {
      expect(await semaphore.acquire()).toBe(true);
      semaphore.release();
    }
  });
});
