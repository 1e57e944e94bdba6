// Comments, documentation, titles of tests and messages are plain English: CONTRIBUTING.md has the rules. Patterns find
// only some hard sentences, but they find them every time.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { LANGUAGE_RULES } from "../support/language/patterns.ts";
import { markdownProse, type Prose, sourceProse, wordCount } from "../support/language/prose.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Hits per 1,000 words: seven well-written codebases have 0 to 0.8. */
const CEILING = 1;

interface Hit {
  readonly file: string;
  readonly text: string;
}

function hitsIn(file: string, prose: readonly Prose[]): readonly Hit[] {
  return prose.flatMap(({ line, text }) =>
    LANGUAGE_RULES.flatMap(({ name, pattern, advice }) =>
      [...text.matchAll(pattern)].map((match) => {
        const context = text.slice(Math.max(0, match.index - 40), match.index + 60);
        return { file, text: `${file}:${line}: ${name}: "${context}" (${advice})` };
      }),
    ),
  );
}

function proseOf(file: string): readonly Prose[] {
  const text = readFileSync(join(root, file), "utf8");
  // Strings of tests are mostly data, and the titles are read anyway.
  return file.endsWith(".md") ? markdownProse(text) : sourceProse(text, !file.startsWith("test/"));
}

const files = execFileSync("git", ["ls-files", "*.ts", "*.md"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "");
const read = files.map((file) => ({ file, prose: proseOf(file) }));
const words = read.reduce((sum, { prose }) => sum + prose.reduce((all, { text }) => all + wordCount(text), 0), 0);
const hits = read.flatMap(({ file, prose }) => hitsIn(file, prose));

describe("the language of the project", () => {
  it("is read from all tracked TypeScript and Markdown files", () => {
    expect(files.length).toBeGreaterThan(200);
    expect(words).toBeGreaterThan(30_000);
  });

  it("has no hard turn of phrase in the documentation for users", () => {
    const isForUsers = (file: string) => /^(?:[A-Z]+\.md|docs\/|examples\/|demo\/)/.test(file);
    expect(hits.filter(({ file }) => isForUsers(file)).map(({ text }) => text)).toEqual([]);
  });

  it(`has at most ${CEILING} hard turn of phrase per 1,000 words in all`, () => {
    const rate = (1_000 * hits.length) / words;
    const list = hits.map(({ text }) => text).join("\n");
    expect(rate, `${hits.length} in ${words} words:\n${list}`).toBeLessThanOrEqual(CEILING);
  });
});

describe("the rules of the language test", () => {
  it.each([
    ["person", "Rejects whoever waits."],
    ["clause as noun", "The sum of what is held."],
    ["is none", "A dimension that is none."],
    ["old-fashioned", "Rejected at once."],
    ["for as because", "It is safe, for it counts all."],
    ["fragment", "Of most requests the size is known."],
    ["told", "The limiter is told the usage."],
  ])("find a sentence of the kind '%s'", (name, sentence) => {
    const found = hitsIn("file.ts", sourceProse(`// ${sentence}\n`, false));
    expect(found).toHaveLength(1);
    expect(found[0]?.text).toContain(`${name}:`);
  });

  it("read comments, docstrings, titles and messages of a source text", () => {
    const text = [
      "/** Told once. */",
      "const a = 1; // at once",
      'test.each([1])("stands %s", () => {});',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a program.
      "throw new Error(`expected ${a} that is none`);",
    ].join("\n");
    expect(hitsIn("file.ts", sourceProse(text, true))).toHaveLength(4);
    expect(hitsIn("file.ts", sourceProse(text, false))).toHaveLength(3);
  });

  it("leave code alone", () => {
    expect(
      hitsIn("file.md", markdownProse("`whose` and [a page](who.md)\n\n```ts\nconst who = 1; // his\n```\n")),
    ).toHaveLength(1);
    expect(hitsIn("file.ts", sourceProse("const who = `his`;\n// `whose`\n", true))).toEqual([]);
  });
});
