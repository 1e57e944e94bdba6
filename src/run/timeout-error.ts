/** Error of a time-out, with the name that runtimes give it. */
export function timeoutError(what: string): Error {
  const error = new Error(`${what} timed out`);
  // An assignment throws if the prototype of errors is frozen.
  Object.defineProperty(error, "name", { value: "TimeoutError", configurable: true, writable: true });
  return error;
}
