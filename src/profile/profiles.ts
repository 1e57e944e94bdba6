import { anticipatory } from "./anticipatory.ts";
import { classic } from "./classic.ts";
import type { Profile } from "./profile.ts";

/** The profile of that name; the default one for any other, which the validator then reports. */
export function profileNamed(name: unknown): Profile {
  return name === "classic" ? classic : anticipatory;
}
