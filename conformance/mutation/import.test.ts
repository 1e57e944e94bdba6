// Not among the tests of `npm test`: a mutant that cannot even be imported leaves the file with the fixtures without a
// test that could fail, and this one fails.
import { expect, it } from "vitest";

it("the package can be imported", async () => {
  expect(Object.keys(await import("grate-limiter"))).not.toEqual([]);
});
