import type { ClientUsage, Settlement, Usage } from "grate-limiter";

/** Reader of the body of a successful response while it passes. */
export interface Answer {
  /** Bytes that are read before the caller asks for them, so that an unread answer ends, too. */
  readonly readAhead: number;
  /** True once the answer is complete, even if its body goes on. */
  readonly isComplete: boolean;
  /** Reads a part of the body. Returns the settlement if the answer has ended with it. */
  read(bytes: Uint8Array): Settlement | undefined;
  /** Settlement at the regular end of the body. */
  end(): Settlement;
  /** Usage that is known so far; undefined: none. */
  usage(): ClientUsage | Usage | undefined;
}
