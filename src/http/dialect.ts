import type { ReportedQuota } from "grate-limiter";

/** Reads one header, like `Headers.get`. null: there is no such header. */
export type HeaderReader = (name: string) => string | null;

/** What the HTTP responses of one vendor say about its limits. Each dialect has a file of its own. */
export interface Dialect {
  /** Name in the options of the user, in lower case. */
  readonly name: string;
  /** True if the headers or the host ("" if it is unknown) are those of the vendor. */
  detects(header: HeaderReader, host: string): boolean;
  /** Limits that the headers report. `epochMs`: Unix time of arrival, for headers without a date of the server. */
  reported(header: HeaderReader, epochMs: number): ReportedQuota[];
  /** Body of a refusal in the vendor's own shape, so that its client throws its own error. */
  errorBody(message: string, status: number): object;
}
