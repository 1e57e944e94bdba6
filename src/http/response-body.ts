import type { KeptLease, Settlement } from "grate-limiter";
import type { Answer } from "./answer.ts";
import { EventAnswer } from "./event-answer.ts";
import { byteStream } from "./response-copy.ts";
import type { StreamController, WebStream } from "./web.ts";
import { WholeAnswer } from "./whole-answer.ts";

const EVENTS = /event-stream|ndjson|jsonl|stream\+json|json-seq/;

/** Reader for an answer of that content type. `inputTokens`: stated input of the request. */
export function answerOf(contentType: string | null, epochNow: () => number, inputTokens?: number): Answer {
  const type = contentType ?? "json";
  return EVENTS.test(type) ? new EventAnswer(epochNow, inputTokens) : new WholeAnswer(type.includes("json"), epochNow);
}

/** Lease of a response while its body passes. The first ending counts. */
export class BodyLease {
  readonly #lease: KeptLease;
  readonly #latencyMs: number;
  readonly #answer: Answer;
  /** Called once, at the end. */
  onEnd: (() => void) | undefined;

  /** `latencyMs`: time to the headers. */
  constructor(lease: KeptLease, latencyMs: number, answer: Answer) {
    this.#lease = lease;
    this.#latencyMs = latencyMs;
    this.#answer = answer;
  }

  /** Ends the lease before the body has ended: as a success if the answer was complete. */
  leave(status: Settlement["status"]): void {
    this.end({ status: this.#answer.isComplete ? "success" : status, usage: this.#answer.usage() });
  }

  end(settlement: Settlement): void {
    this.#lease.settle({ latencyMs: this.#latencyMs, ...settlement });
    this.onEnd?.();
    this.onEnd = undefined;
  }

  /** Settled here, where the body is read: clients abort their own signal when they see an error in it. */
  wrap(body: WebStream): WebStream {
    const reader = body.getReader();
    const { readAhead } = this.#answer;
    let broken: { readonly error: unknown } | undefined;
    // The parts that were read ahead come before the error.
    const fail = (controller: StreamController) => {
      if (controller.desiredSize === readAhead) controller.error(broken!.error);
    };
    return byteStream(
      {
        pull: (controller) => {
          if (broken !== undefined) return fail(controller);
          return reader.read().then(
            ({ done, value }) => {
              this.#read(done ? undefined : value);
              if (done) controller.close();
              else controller.enqueue(value);
            },
            (error: unknown) => {
              this.leave("server_error");
              broken = { error };
              fail(controller);
            },
          );
        },
        cancel: (reason) => {
          this.leave("cancelled");
          return reader.cancel(reason);
        },
      },
      readAhead,
    );
  }

  /** Reads a part of the body; undefined: its end. */
  #read(chunk: unknown): void {
    let ending: Settlement | undefined;
    if (chunk !== undefined) this.#lease.read();
    try {
      if (chunk === undefined) ending = this.#answer.end();
      else if (chunk instanceof Uint8Array) ending = this.#answer.read(chunk);
    } catch {
      // The caller has transferred the bytes of a part elsewhere.
    }
    if (ending !== undefined || chunk === undefined) this.end(ending ?? { status: "success" });
  }
}
