// The seed of all property tests. It is constant, so that one commit has one result; the variable SEED changes it. `npm
// run fuzz` uses new seeds.
import fc from "fast-check";

export const FIXED_SEED = 20_261_122;

// A script can have up to 80 steps: by default fast-check generates short ones.
fc.configureGlobal({ seed: Number(process.env["SEED"] ?? FIXED_SEED), defaultSizeToMaxWhenMaxSpecified: true });
