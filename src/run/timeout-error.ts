/** Error of a time-out, with the name that runtimes give it. */
export function timeoutError(what: string): Error {
  const error = new Error(`${what} timed out`);
  error.name = "TimeoutError";
  return error;
}
