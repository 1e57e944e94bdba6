/** An item that comes due at an instant. */
export interface Due {
  /** Instant (ms). */
  dueAt: number;
  /** Decides between equal instants: smaller first. */
  readonly order: number;
  /** Index in the heap; -1: the item is not in it. */
  place: number;
}

/** Items by due instant, earliest first. Every operation takes O(log n), and O(1) for an item that is due after all others. */
export class TimerHeap<T extends Due> {
  /** The item that is due first. */
  first: T | undefined;
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** All items, in no order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#heap.values();
  }

  /** Adds an item, or moves it after its instant changed. */
  put(item: T): void {
    if (item.place < 0) item.place = this.#heap.push(item) - 1;
    this.#settle(item);
    this.first = this.#heap[0];
  }

  /** Removes an item; no effect if it is not in the heap. */
  remove(item: T): void {
    if (item.place < 0) return;
    const last = this.#heap.pop()!;
    if (last !== item) {
      this.#set(last, item.place);
      this.#settle(last);
    }
    item.place = -1;
    this.first = this.#heap[0];
  }

  protected isBefore(a: T, b: T): boolean {
    return a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt;
  }

  #settle(item: T): void {
    const heap = this.#heap;
    const { place: from } = item;
    let place = from;
    for (let parent = (place - 1) >> 1; place > 0 && this.isBefore(item, heap[parent]!); parent = (place - 1) >> 1) {
      this.#set(heap[parent]!, place);
      place = parent;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child + 1 < heap.length && this.isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (child >= heap.length || !this.isBefore(heap[child]!, item)) break;
      this.#set(heap[child]!, place);
      place = child;
    }
    // Not written if nothing moved: in a heap of one item the write would cost more than all the rest.
    if (place !== from) this.#set(item, place);
  }

  #set(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}
