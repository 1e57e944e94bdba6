/** Something that comes due at an instant. */
export interface Due {
  /** Instant (ms). */
  dueAt: number;
  /** Decides between equal instants: smaller first. */
  readonly order: number;
  /** Where it stands in the heap; -1: it does not. */
  place: number;
}

/** What comes due, earliest first; every operation in O(log n), and O(1) for what comes due after all others. */
export class TimerHeap<T extends Due> {
  readonly #heap: T[] = [];

  get first(): T | undefined {
    return this.#heap[0];
  }

  get size(): number {
    return this.#heap.length;
  }

  /** In no order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#heap.values();
  }

  /** Puts it where its instant belongs, whether it stood in the heap or not. */
  put(item: T): void {
    if (item.place < 0) item.place = this.#heap.push(item) - 1;
    this.#settle(item);
  }

  /** Takes it out, if it is in. */
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
    // A write costs more than all the rest where it is the only one that stands there.
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
