// The checks of the code in the documentation must be able to fail.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { exportedNames, moduleOf, type Surroundings } from "../support/documentation/block-module.ts";
import { type CodeBlock, docstringBlocks, markdownBlocks } from "../support/documentation/code-blocks.ts";
import { instrument } from "../support/documentation/expectations.ts";
import { runBlock } from "../support/documentation/run-block.ts";
import { compilerErrors } from "../support/documentation/type-check.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const preludePath = fileURLToPath(new URL("../support/documentation/prelude.ts", import.meta.url));
const prelude: Surroundings = {
  specifier: preludePath,
  names: exportedNames(readFileSync(preludePath, "utf8")),
};
const ownPackage: Surroundings = {
  specifier: "grate-limiter",
  names: exportedNames(readFileSync(fileURLToPath(new URL("../../src/index.ts", import.meta.url)), "utf8")),
};

const TICKS = "```";

function blockOf(...code: readonly string[]): CodeBlock {
  return { file: "GUIDE.md", line: 1, code: code.join("\n"), runs: true, inDocstring: false };
}

function run(...code: readonly string[]): Promise<void> {
  return runBlock(root, blockOf(...code), [prelude]);
}

describe("blocks of Markdown", () => {
  test("only ts blocks are found, with the line on which their code starts", () => {
    const text = [`${TICKS}sh`, "npm ci", TICKS, "", `${TICKS}ts`, "a;", "b;", TICKS, `${TICKS}ts no-run`, "c;", TICKS];
    expect(markdownBlocks("GUIDE.md", text.join("\n"))).toEqual([
      { file: "GUIDE.md", line: 6, code: "a;\nb;", runs: true, inDocstring: false },
      { file: "GUIDE.md", line: 10, code: "c;", runs: false, inDocstring: false },
    ]);
  });

  test("blocks in a list are found without indentation, and so are blocks in longer fences", () => {
    const text = [
      "- so:",
      `  ${TICKS}ts`,
      "  if (a) {",
      "    b;",
      "  }",
      `  ${TICKS}`,
      `${TICKS}\`ts`,
      TICKS,
      `${TICKS}\``,
    ];
    expect(markdownBlocks("GUIDE.md", text.join("\n")).map(({ code }) => code)).toEqual(["if (a) {\n  b;\n}", TICKS]);
  });

  test.each([
    ["a block without an end", `${TICKS}ts\na;`],
    ["a block in another language", `${TICKS}js\na;\n${TICKS}`],
    ["a block with an unknown word", `${TICKS}ts norun\na;\n${TICKS}`],
  ])("the parser of Markdown rejects %s", (_, text) => {
    expect(() => markdownBlocks("GUIDE.md", text)).toThrow("GUIDE.md:1");
  });
});

describe("blocks of docstrings", () => {
  test("blocks in docstrings have the line numbers of their source", () => {
    const source = [
      "const text = `",
      `${TICKS}ts not a docstring`,
      "`;",
      "/**",
      " * The title.",
      " *",
      " * @example How.",
      ` * ${TICKS}ts`,
      " * if (a) {",
      " *   b;",
      " * }",
      ` * ${TICKS}`,
      " */",
      "export const c = 1;",
    ];
    expect(docstringBlocks("src/c.ts", source.join("\n"))).toEqual([
      { file: "src/c.ts", line: 9, code: "if (a) {\n  b;\n}", runs: true, inDocstring: true },
    ]);
  });

  test("an example without a block is rejected", () => {
    expect(() => docstringBlocks("src/c.ts", "\n/**\n * @example c()\n */")).toThrow("src/c.ts:3");
  });
});

describe("compiling blocks", () => {
  const strategy = [
    "const strategy: ScoringStrategy = { score: () => 1 };",
    "new GrateLimiter({ scoring: strategy });",
  ];
  const cases = {
    "an error, at the line of the document": {
      code: ['import { GrateLimiter } from "grate-limiter";', "", "new GrateLimiter(5);"],
      around: [],
      errors: [/^GUIDE\.md:102: .*GrateLimiterOptions/s],
    },
    "a misspelt provider, and a name of nowhere": {
      code: ['limiter.providerHealth("opnai");', "nowhere();"],
      around: [prelude],
      errors: [/^GUIDE\.md:200: .*"opnai"/s, /^GUIDE\.md:201: .*'nowhere'/s],
    },
    "in Markdown, the package that is not imported": {
      code: strategy,
      around: [prelude],
      errors: [/^GUIDE\.md:300: .*'ScoringStrategy'/s, /^GUIDE\.md:301: .*'GrateLimiter'/s],
    },
    "not so in a docstring": { code: strategy, around: [prelude, ownPackage], errors: [] },
    "not a block that declares a name of the prelude itself": {
      code: ["const { prompt } = { prompt: 5 };", "const five: number = prompt;", "await Promise.resolve(five);"],
      around: [prelude],
      errors: [],
    },
  };
  let found: readonly (readonly string[])[] = [];
  beforeAll(() => {
    // All blocks in one program, as for the documentation, because a program is slow to set up.
    const modules = Object.values(cases).map(({ code, around }, index) => {
      const block = { ...blockOf(...code), line: 100 * (index + 1) };
      return { block, text: moduleOf(block, block.code, around) };
    });
    found = compilerErrors(root, modules);
  });

  test.each(Object.keys(cases).map((name, index) => ({ name, index })))(
    "the compiler rejects $name",
    ({ name, index }) => {
      const { errors } = cases[name as keyof typeof cases];
      expect(found[index]).toEqual(errors.map((error) => expect.stringMatching(error)));
    },
  );
});

describe("running blocks", () => {
  test("a block with true statements passes", async () => {
    await run(
      'import { GrateLimiter } from "grate-limiter";',
      'limiter.select("chat").provider; // "openai": it has the higher priority',
      "const answer = await clients.openai.ask(prompt);",
      "answer.usage; // { inputTokens: 8, outputTokens: 120 }",
      "const third = 1 / 3; // ≈ 0.33",
      "console.log(third > 0); // true",
      '[limiter.providerHealth("nobody" as "openai"), -0.5]; // [null, -0.5] (an unknown name)',
      'if (third) limiter.remainingQuota("openai", "requests"); // 500',
      'limiter.select("chta" as "chat"); // throws UnknownCapability: chta',
      'await Promise.reject(new TypeError("no: never")); // throws TypeError: never',
      "new GrateLimiter(); // this is prose",
    );
  });

  test.each([
    ["a wrong value", ['limiter.select("chat").provider; // "anthropic"'], "GUIDE.md:1"],
    ["a wrong value in an object", ["", "({ a: [1] }); // { a: [2] }"], "GUIDE.md:2"],
    ["digits that differ", ["(1 / 3); // ≈ 0.34"], "GUIDE.md:1"],
    ["another error", ['limiter.select("chta" as "chat"); // throws UnknownProvider'], "GUIDE.md:1"],
    ["another message", ['limiter.select("chta" as "chat"); // throws UnknownCapability: chtb'], "GUIDE.md:1"],
    ["no error", ['limiter.select("chat"); // throws UnknownCapability'], "GUIDE.md:1"],
    ["no rejection", ["await Promise.resolve(); // throws Error"], "GUIDE.md:1"],
    ["a line that is never reached", ["if (prompt === '') prompt.length; // 0"], "GUIDE.md:1"],
    ["an error of the block", ['throw new Error("of its own");'], "of its own"],
    ["a block that does not parse", ["const = 5;"], "Unexpected token"],
  ])("a block with a false statement fails: %s", async (_, code, message) => {
    await expect(run(...code)).rejects.toThrow(message);
  });

  test("every block has a prelude of its own", async () => {
    const code = [
      'limiter.remainingQuota("openai", "requests"); // 500',
      'limiter.observe({ provider: "openai", outcome: { status: 200 } });',
      'limiter.remainingQuota("openai", "requests"); // 499',
    ];
    await run(...code);
    await run(...code);
  });
});

describe("comments", () => {
  test.each([
    ["a value without its quotes", "limiter.select(a).provider; // openai"],
    ["a call with a single word", "limiter.providerInCooldown(a); // True"],
    ["prose after a line that only reads a value", "decision.provider; // the one that has room"],
    ["no comment after a line that only reads a value", "decision.provider;"],
    ["a value of a pattern", "const { provider } = decision; // 'openai'"],
    ["a value in the middle of an expression", "call(\n  a, // 5\n);"],
  ])("the check of comments rejects %s", (_, code) => {
    expect(() => instrument(blockOf(code))).toThrow("GUIDE.md:");
  });

  test("a comment in prose changes nothing", () => {
    const code = "clock.advanceSecs(30); // 30 seconds later\nconst a = { b: 1 }; // then\nf(); // it's a call (5)";
    expect(instrument(blockOf(code))).toEqual({ code, lines: [] });
  });
});
