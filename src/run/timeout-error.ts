/** Error of a time-out by an option, with the name that runtimes give it. */
export function timeoutError(what: string, ms: number, option: string): Error {
  const error = new Error(`${what} timed out after ${Math.round(ms)} ms (${option})`);
  // An assignment throws if the prototype of errors is frozen.
  Object.defineProperty(error, "name", { value: "TimeoutError", configurable: true, writable: true });
  return error;
}
