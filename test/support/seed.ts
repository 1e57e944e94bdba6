// The seed of all property tests: the same in every run, so that one commit has one result; another by SEED. New seeds are
// what `npm run fuzz` is for.
import fc from "fast-check";

export const FIXED_SEED = 20_261_122;

// A script of up to 80 steps means that: by itself fast-check makes short ones of them.
fc.configureGlobal({ seed: Number(process.env["SEED"] ?? FIXED_SEED), defaultSizeToMaxWhenMaxSpecified: true });
