/** Position of an item in a queue, for its removal. */
export interface QueueNode<T> {
  readonly item: T;
  previous: QueueNode<T> | null;
  next: QueueNode<T> | null;
}

/** First-in, first-out queue as a doubly linked list: every operation takes constant time, removal from the middle included. */
export class Queue<T> {
  #first: QueueNode<T> | null = null;
  #last: QueueNode<T> | null = null;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  /** Adds an item at the end. Returns its node. */
  push(item: T): QueueNode<T> {
    const node: QueueNode<T> = { item, previous: this.#last, next: null };
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    return node;
  }

  /** Removes the first item and returns it; undefined if the queue is empty. */
  shift(): T | undefined {
    const first = this.#first;
    if (first === null) return undefined;
    this.remove(first);
    return first.item;
  }

  /** Removes the item of a node that is in this queue. */
  remove({ previous, next }: QueueNode<T>): void {
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
  }

  clear(): void {
    this.#first = null;
    this.#last = null;
  }
}
