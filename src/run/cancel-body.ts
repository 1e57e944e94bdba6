import { safeGet } from "./safe-get.ts";

/** Frees the connection of a response that nobody will read. */
export function cancelBody(value: unknown): void {
  const body = safeGet(value, "body");
  const cancel = safeGet(body, "cancel");
  if (typeof cancel === "function") (async () => cancel.call(body))().catch(() => {});
}
