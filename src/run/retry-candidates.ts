import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { isUnable, refusalReasons } from "./refusal-reasons.ts";
import type { RetryCandidates } from "./retry-policy.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/** Providers of the capability as candidates for a retry; `failed` has failed the call. */
export function retryCandidates(
  parts: RunDependencies,
  capability: Capability,
  request: RequestSpec,
  failed: ReadonlySet<string>,
): RetryCandidates {
  return {
    get count() {
      const listed = parts.admission.selection.registry.listed(capability);
      return listed.filter(({ name }) => !request.excludes(name)).length;
    },
    get hasUnfailed() {
      const reasons = refusalReasons(parts, capability, request);
      return reasons.some((reason) => !isUnable(reason) && !failed.has(reason.provider));
    },
  };
}
