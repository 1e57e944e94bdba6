import { safeGet } from "../observation/safe-get.ts";

/** Cancels the body of a response that the caller does not get, so that its connection becomes free. Ignores other values. */
export function cancelBody(value: unknown): void {
  const body = safeGet(value, "body");
  const cancel = safeGet(body, "cancel");
  if (typeof cancel === "function") (async () => cancel.call(body))().catch(() => {});
}
