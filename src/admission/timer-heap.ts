/** An item that is due at an instant. */
export interface Due {
  /** Instant (ms). */
  dueAt: number;
  /** Decides between equal instants: smaller first. */
  readonly order: number;
  /** Index in the heap; -1: it is not in one. */
  place: number;
}

/** Items, earliest first. Every operation takes O(log n), and O(1) for an item that is due after all others. */
export class TimerHeap<T extends Due> {
  readonly #heap: T[] = [];

  get first(): T | undefined {
    return this.#heap[0];
  }

  get size(): number {
    return this.#heap.length;
  }

  /** All items, in no particular order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#heap.values();
  }

  /** Adds the item, or moves it if its instant has changed. */
  put(item: T): void {
    if (item.place < 0) item.place = this.#heap.push(item) - 1;
    this.#settle(item);
  }

  /** Removes the item, if it is in the heap. */
  remove(item: T): void {
    if (item.place < 0) return;
    const last = this.#heap.pop()!;
    if (last !== item) {
      this.#set(last, item.place);
      this.#settle(last);
    }
    item.place = -1;
  }

  #settle(item: T): void {
    const heap = this.#heap;
    const { place: from } = item;
    let place = from;
    for (let parent = (place - 1) >> 1; place > 0 && isBefore(item, heap[parent]!); parent = (place - 1) >> 1) {
      this.#set(heap[parent]!, place);
      place = parent;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (child >= heap.length || !isBefore(heap[child]!, item)) break;
      this.#set(heap[child]!, place);
      place = child;
    }
    // In a heap of one item, an unneeded write would cost more than all the rest.
    if (place !== from) this.#set(item, place);
  }

  #set(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt;
}
