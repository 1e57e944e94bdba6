import type { ReportedQuota } from "grate-limiter";

/** Reads one header by its name in lower case. null: there is no such header. */
export type HeaderReader = (name: string) => string | null;

/** Reading of the limits in the HTTP responses of one vendor. Each dialect has a file of its own. */
export interface Dialect {
  /** Name in the options of the user, in lower case. */
  readonly name: string;
  /** Hosts of the vendor, their subdomains included. */
  readonly hosts: readonly string[];
  /** True if only this vendor, or a copy of it, sends such headers. */
  isKnownBy(header: HeaderReader): boolean;
  /** Limits that the headers report. `epochMs`: Unix time of arrival, for responses without a date of the server. */
  reported(header: HeaderReader, epochMs: number): ReportedQuota[];
  /** Body of a refusal in the vendor's own shape, so that its client throws its own error. */
  errorBody(message: string, status: number): object;
}
