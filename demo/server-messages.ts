import type { ServerName } from "./scenario.ts";

/** The answers of one server since the start of a run: 200, 429, 500. */
export interface Counts {
  served: number;
  refused: number;
  failed: number;
}

/** The answers of each server. */
export type CountsByServer = Readonly<Record<ServerName, Readonly<Counts>>>;

/** Where each server listens. */
export type UrlByServer = Readonly<Record<ServerName, string>>;

/** A message to the server process: start a new run with this seed for the phases, or only report the counts. */
export type Order =
  | { readonly kind: "start"; readonly seed: number; readonly hasHeaders: boolean }
  | { readonly kind: "count" };

/** A message from the server process: its URLs once, then its counts as the answer to every order. */
export type Report =
  | { readonly kind: "listening"; readonly urls: UrlByServer }
  | { readonly kind: "counted"; readonly counts: CountsByServer };
