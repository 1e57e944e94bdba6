// The code of the documentation is tested: every ```ts block of README.md, docs/ and examples/, and every one in a
// docstring of src/, must compile. Unless it is marked ```ts no-run, it also runs as a separate module, and its comments
// must be true:
//
//   limiter.select("chat").provider; // "openai"                a literal is compared deeply
//   limiter.select("chat").score; // ≈ 0.98                     equal in the digits that are shown
//   limiter.select("chat").provider; // "openai": it is first   an explanation can follow after : , ; or (
//   limiter.select("chta"); // throws UnknownCapability: chta   the name of the error and a part of its message
//   const score = 0.5 + 0.5; // 1                               the value of a constant
//   console.log(provider); // "openai"                          the printed value
//   clock.advanceSecs(30); // the cooldown is over              any other text of several words is prose
//
// Every line with a value must be reached. A block imports the names of the package that it uses (a docstring does not
// have to), and can use the names of `test/support/documentation/prelude.ts` without declaring them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { exportedNames, moduleOf, type Surroundings } from "../support/documentation/block-module.ts";
import { type CodeBlock, docstringBlocks, markdownBlocks } from "../support/documentation/code-blocks.ts";
import { DOCUMENTS, filesIn, root } from "../support/documentation/files.ts";
import { runBlock } from "../support/documentation/run-block.ts";
import { type BlockModule, compilerErrors } from "../support/documentation/type-check.ts";

const prelude = surroundings(
  join(root, "test/support/documentation/prelude.ts"),
  "test/support/documentation/prelude.ts",
);
const ownPackage = surroundings("grate-limiter", "src/index.ts");

const blocks = [
  ...DOCUMENTS.flatMap(blocksOf),
  ...filesIn("src", ".ts").flatMap((file) => docstringBlocks(file, textOf(file))),
];

test("the README has code to test", () => {
  expect(blocks.filter(({ file }) => file === "README.md")).not.toEqual([]);
});

test("CI calls the test command in the README, and then the full tests", () => {
  const command = /^npm ci && npm test$/m;
  expect(textOf("README.md")).toMatch(command);
  expect(textOf(".ci/run")).toContain('"npm ci && npm test"');
  expect(textOf(".ci/run")).toContain('"npm run test:full"');
});

describe("code in the documentation", () => {
  let errors: readonly (readonly string[])[] = [];
  beforeAll(() => {
    const modules: BlockModule[] = blocks.map((block) => ({ block, text: moduleOf(block, block.code, around(block)) }));
    errors = compilerErrors(root, modules);
  });

  for (const [index, block] of blocks.entries()) {
    test(`${block.file}:${block.line} compiles`, () => {
      expect(errors[index]).toEqual([]);
    });
    test.runIf(block.runs)(`${block.file}:${block.line} gives the results that its comments state`, async () => {
      await runBlock(root, block, around(block));
    });
  }
});

function around(block: CodeBlock): readonly Surroundings[] {
  return block.inDocstring ? [prelude, ownPackage] : [prelude];
}

function surroundings(specifier: string, file: string): Surroundings {
  return { specifier, names: exportedNames(textOf(file)) };
}

function blocksOf(file: string): readonly CodeBlock[] {
  return markdownBlocks(file, textOf(file));
}

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
