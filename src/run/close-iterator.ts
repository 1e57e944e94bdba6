/** Calls the `return` of an iterator, if it has one. Rejects with what `return` throws. */
export async function closeIterator(source: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  await source.return?.();
}
