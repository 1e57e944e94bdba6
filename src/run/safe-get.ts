/** A property of anything; undefined if there is none, or if reading it throws. */
export function safeGet(from: unknown, key: string | symbol): unknown {
  try {
    return (from as { readonly [key: string | symbol]: unknown } | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}
