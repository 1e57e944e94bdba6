/** Property of any value; undefined if it does not exist or its getter throws. */
export function safeGet(from: unknown, key: string | symbol): unknown {
  try {
    return (from as { readonly [key: string | symbol]: unknown } | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}
