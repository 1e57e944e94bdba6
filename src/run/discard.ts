import { read } from "./read.ts";

/** Frees the connection of a response that nobody will read. */
export function discard(value: unknown): void {
  const body = read(value, "body");
  const cancel = read(body, "cancel");
  if (typeof cancel === "function") (async () => cancel.call(body))().catch(() => {});
}
