import { valueText } from "../message-text.ts";

/** Calls the `next` of an iterator. Rejects with its error, and with TypeError if it returns no result. */
export async function pullFrom<T>(source: AsyncIterator<T> | Iterator<T>): Promise<IteratorResult<T>> {
  const result: unknown = await source.next();
  if (typeof result === "object" && result !== null) return result as IteratorResult<T>;
  throw new TypeError(`the \`next\` of the iterator returned no result object, got ${valueText(result)}`);
}

/** Calls the `return` of an iterator, if it has one. Rejects with what `return` throws. */
export async function closeIterator(source: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  await source.return?.();
}
