// Not among the tests of `npm test`: mutation.ts runs it on mutants, and names the file in CONFORMANCE_RECORD.
import { describe, expect, it } from "vitest";
import { readRecord } from "./record.ts";
import { differingScenario } from "./replay.ts";

const CHUNK = 100;
const record = readRecord(process.env["CONFORMANCE_RECORD"]!);

describe("classic", () => {
  for (let start = 0; start < record.length; start += CHUNK) {
    it(`answers as Python did, from scenario ${start} on`, () => {
      expect(differingScenario(record.slice(start, start + CHUNK))).toBeNull();
    });
  }
});
