import { describe, expect, it } from "vitest";
import { InvalidConfig } from "../../src/index.ts";
import { answerHashes } from "../support/answer-hash/answer-hash.ts";
import { Encoder } from "../support/answer-hash/canonical.ts";
import { SITUATIONS } from "../support/answer-hash/shares.ts";

// A refactoring must not change these. After a deliberate change of behaviour, run `npx tsx test/support/answer-hash/answer-hash.ts`,
// copy the hashes that it prints, and name the change in the commit. To find the first answer that differs, compare the
// files that `--log FILE` writes before and after the change.
const EXPECTED = {
  anticipatory: { exact: "b6f9be5131b53187", withoutBurn: "83862e0c360efedc" },
  classic: { exact: "0eb4f2408a8376e0", withoutBurn: "994a1e3c84705ccd" },
};

describe("the answers to random operations", () => {
  it("the answers have the recorded hashes, and the operations cover every situation", async () => {
    const { hashes, operations, shares } = await answerHashes();
    expect(hashes).toEqual(EXPECTED);
    expect(operations).toBeGreaterThan(75_000);
    // Each situation has at least a tenth of the operations; shares.ts defines the denominators.
    for (const situation of SITUATIONS) expect(shares.of(situation), situation).toBeGreaterThanOrEqual(0.1);
  });

  it("a world that is played alone has the same hash", async () => {
    const lines: string[] = [];
    const first = await answerHashes({ world: 17, log: (line) => lines.push(line) });
    const second = await answerHashes({ world: 17 });
    expect(second.worlds).toEqual(first.worlds);
    expect(lines.length).toBe(first.operations);
    expect((await answerHashes({ world: 18 })).worlds.get(18)).not.toEqual(first.worlds.get(17));
  });
});

describe("the canonical encoding", () => {
  const textOf = (value: unknown) => new Encoder().encode(value).text;

  it("the encoding does not depend on the order of keys or on undefined fields", () => {
    expect(textOf({ b: 1, a: { d: 2, c: 3 } })).toBe(textOf({ a: { c: 3, d: 2, e: undefined }, b: 1 }));
  });

  it("the encoding distinguishes numbers that JSON does not, and numbers that differ in the last bit", () => {
    const numbers = [0, -0, null, Number.NaN, Infinity, 0.1 + 0.2, 0.3];
    expect(new Set(numbers.map(textOf)).size).toBe(numbers.length);
  });

  it("the encoding contains the kind and the paths of an error, but not its text", () => {
    const error = (text: string) => new InvalidConfig([{ path: "limit", expected: text, got: text }], [text]);
    expect(textOf(error("one"))).toBe(textOf(error("two")));
    expect(textOf(error("one"))).toContain("invalid_config");
    expect(textOf(error("one"))).toContain("limit");
  });

  it("the encoding separates numbers that derive from the burn rate", () => {
    const { text, burn } = new Encoder().encode({ burnPerSecond: 0.25, exhaustedInMs: null, used: 3 });
    expect(text).toBe("{,used:3}");
    expect(burn).toBe("0.25,null");
  });
});
