// Every link of the documentation leads to a file of the published package, and to a heading of that file: readers follow
// them on a code host, on the page of the package, and in node_modules.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { DOCUMENTS, root } from "../support/documentation/files.ts";
import { headingAnchors, linksOf } from "../support/documentation/links.ts";

const packed = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
  cwd: root,
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
});
const [pack] = JSON.parse(packed) as { files: { path: string }[] }[];
const published: ReadonlySet<string> = new Set(pack!.files.map(({ path }) => path));
const documents = DOCUMENTS.filter((file) => published.has(file));

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function problemsOf(file: string): readonly string[] {
  return linksOf(textOf(file)).flatMap(({ line, target }) => {
    if (/^https:\/\//.test(target)) return [];
    const [path = "", anchor] = target.split("#");
    const linked = path === "" ? file : posix.normalize(posix.join(posix.dirname(file), path));
    // Pictures of pixels would make the package several times as large. Code hosts show them.
    if (linked.endsWith(".webp"))
      return existsSync(join(root, linked)) ? [] : [`${file}:${line}: ${target} is missing`];
    if (!published.has(linked)) return [`${file}:${line}: ${target}: ${linked} is not in the package`];
    if (anchor === undefined || headingAnchors(textOf(linked)).has(anchor)) return [];
    return [`${file}:${line}: ${target}: ${linked} has no such heading`];
  });
}

describe("the links of the documentation", () => {
  it("are read from the README and all pages of docs/ that are published", () => {
    expect(documents).toContain("README.md");
    expect(documents).toContain("CHANGELOG.md");
    expect(DOCUMENTS.filter((file) => /^(?:docs|examples)\//.test(file) && !published.has(file))).toEqual([]);
    expect(documents.flatMap((file) => linksOf(textOf(file))).length).toBeGreaterThan(100);
  });

  it.each(documents)("of %s lead to published files and existing headings", (file) => {
    expect(problemsOf(file)).toEqual([]);
  });

  it("reach every page of docs/ from its index", () => {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { target } of linksOf(textOf(file))) {
        const path = posix.normalize(posix.join(posix.dirname(file), target.split("#")[0]!));
        if (path.endsWith(".md") && published.has(path)) visit(path);
      }
    };
    visit("docs/README.md");
    expect(documents.filter((file) => !reached.has(file))).toEqual([]);
  });
});

describe("the reader of links", () => {
  it("finds links and pictures, and leaves code alone", () => {
    const text = "[a](b.md#c) and ![d](e.svg)\n`[f](g.md)`\n```ts\n[h](i.md)\n```\n";
    expect(linksOf(text)).toEqual([
      { line: 1, target: "b.md#c" },
      { line: 1, target: "e.svg" },
    ]);
  });

  it("names headings as code hosts do", () => {
    expect([...headingAnchors("# Rust & Python: `run`\n## A b\n## A b\n")]).toEqual([
      "rust--python-run",
      "a-b",
      "a-b-1",
    ]);
  });
});
