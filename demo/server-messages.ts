import type { ServerName } from "./scenario.ts";

/** What one server answered since the start of a run: 200, 429, 500. */
export interface Counts {
  served: number;
  refused: number;
  failed: number;
}

/** What each server answered. */
export type CountsByServer = Readonly<Record<ServerName, Readonly<Counts>>>;

/** Where each server listens. */
export type UrlByServer = Readonly<Record<ServerName, string>>;

/** What the servers' process is told: to start a run anew, with this seed for the phases, or only to tell its counts. */
export type Order = { readonly kind: "start"; readonly seed: number } | { readonly kind: "count" };

/** What the servers' process tells: once where it listens, then its counts in answer to every order. */
export type Report =
  | { readonly kind: "listening"; readonly urls: UrlByServer }
  | { readonly kind: "counted"; readonly counts: CountsByServer };
