// Bodies of refusals in the shapes of vendors.

/** OpenAI, and the many vendors that copy its shape. */
export function openaiError(message: string, status: number): object {
  const [type, code] =
    status === 429 ? ["rate_limit_error", "rate_limit_exceeded"] : ["server_error", "service_unavailable"];
  return { error: { message, type, param: null, code } };
}

/** A text under its own name. */
export function plainError(message: string): object {
  return { message };
}
