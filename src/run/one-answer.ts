import type { TaskResult } from "../api/run-options.ts";
import type { Verdict } from "../api/verdict.ts";
import { safeGet } from "../observation/safe-get.ts";
import type { FailoverLoop } from "./failover-loop.ts";

/** Returns the classifier of calls with a single answer. It throws TypeError for a stream, which would outlive its lease. */
export function oneAnswer(call: FailoverLoop): (result: TaskResult) => Verdict {
  return (result) => {
    if (result.ok && isStream(result.value)) {
      throw new TypeError("the task returned a stream: call stream() instead, or read the whole stream in the task");
    }
    return call.classify(result);
  };
}

/** True for an async iterable or a web stream, except for answers and pages of a list, which can be iterated too. */
function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const isIterable = [Symbol.asyncIterator, "getReader"].some((key) => typeof safeGet(value, key) === "function");
  if (!isIterable) return false;
  const isAnswer = ["status", "statusCode"].some((key) => typeof safeGet(value, key) === "number");
  return !isAnswer && typeof safeGet(value, "data") !== "object";
}
