import { describe, expect, it } from "vitest";
import { problemsOfRelease, type ReleaseState } from "../../scripts/release-problems.ts";

const ready: ReleaseState = {
  manifest: {
    version: "1.2.3",
    repository: { type: "git", url: "git+https://code.test/someone/grate-limiter.git" },
    homepage: "https://code.test/someone/grate-limiter#readme",
    bugs: { url: "https://code.test/someone/grate-limiter/issues" },
  },
  changelog: "# Changelog\n\n## 1.2.3 (2030-01-02)\n",
  performance: "All numbers are ratios.",
  uncommitted: "",
  tag: "v1.2.3",
};

describe("the release check", () => {
  it("accepts a release with addresses, a section in the changelog, and a clean checkout", () => {
    expect(problemsOfRelease(ready)).toEqual([]);
  });

  it.each(["repository", "homepage", "bugs"])("refuses a manifest without %s", (field) => {
    const manifest = { ...ready.manifest, [field]: undefined };
    expect(problemsOfRelease({ ...ready, manifest })).toEqual([expect.stringContaining(`${field} is missing`)]);
  });

  it.each([
    ["the placeholder of RELEASING.md", "https://HOST/OWNER/NAME#readme", "is a placeholder"],
    ["an address without https", "http://code.test/someone", "expected an https address"],
  ])("refuses %s", (_, homepage, problem) => {
    const manifest = { ...ready.manifest, homepage };
    expect(problemsOfRelease({ ...ready, manifest })).toEqual([expect.stringContaining(problem)]);
  });

  it.each([
    ["a tag of another version", { tag: "v1.2.4" }, "does not match"],
    ["a changelog without the version", { changelog: "## 1.2.2\n" }, 'expected a section "## 1.2.3"'],
    ["a changelog with unreleased changes", { changelog: "## Unreleased\n\n## 1.2.3\n" }, "Unreleased"],
    ["provisional benchmarks", { performance: "These numbers are provisional" }, "provisional"],
    ["uncommitted files", { uncommitted: " M README.md\n" }, "uncommitted files"],
  ])("refuses %s", (_, change, problem) => {
    expect(problemsOfRelease({ ...ready, ...change })).toEqual([expect.stringContaining(problem)]);
  });
});
