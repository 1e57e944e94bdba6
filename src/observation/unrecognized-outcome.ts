import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import { safeGet } from "./safe-get.ts";

const MAX_NAME = 40;

/** Counts an outcome that no rule recognizes, and emits its names, never its content. */
export function reportUnrecognized(
  outcome: unknown,
  { provider, capability }: { readonly provider: string; readonly capability: string },
  { counters, events }: { readonly counters: Counters; readonly events: Events },
): void {
  counters.unrecognizedOutcomes++;
  if (!events.hasListener("unrecognizedOutcome")) return;
  const code = safeGet(outcome, "code");
  events.emit("unrecognizedOutcome", {
    provider,
    capability,
    name: nameIn(safeGet(outcome, "name")),
    code: typeof code === "number" ? code : nameIn(code),
    className: nameIn(safeGet(safeGet(outcome, "constructor"), "name")),
  });
}

function nameIn(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, MAX_NAME) : null;
}
