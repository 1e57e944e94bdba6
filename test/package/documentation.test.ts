// The code in the documentation is tested. Every ```ts block of README.md and docs/ and of a docstring in src/ must
// compile. Unless it is marked ```ts no-run, it is also run as a module, and the values in its comments must be right:
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
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { exportedNames, moduleOf, type Surroundings } from "../support/documentation/block-module.ts";
import { type CodeBlock, docstringBlocks, markdownBlocks } from "../support/documentation/code-blocks.ts";
import { runBlock } from "../support/documentation/run-block.ts";
import { type BlockModule, compilerErrors } from "../support/documentation/type-check.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const prelude = surroundings(
  join(root, "test/support/documentation/prelude.ts"),
  "test/support/documentation/prelude.ts",
);
const ownPackage = surroundings("grate-limiter", "src/index.ts");

const blocks = [
  ...["README.md", ...filesIn("docs", ".md")].filter((file) => existsSync(join(root, file))).flatMap(blocksOf),
  ...filesIn("src", ".ts").flatMap((file) => docstringBlocks(file, textOf(file))),
];

test.runIf(existsSync(join(root, "README.md")))("the README has code to test", () => {
  expect(blocks.filter(({ file }) => file === "README.md")).not.toEqual([]);
});

test.runIf(existsSync(join(root, "README.md")))(
  "CI calls the test command in the README, and then the full tests",
  () => {
    const command = /^npm ci && npm test$/m;
    expect(textOf("README.md")).toMatch(command);
    expect(textOf(".ci/run")).toContain('"npm ci && npm test"');
    expect(textOf(".ci/run")).toContain('"npm run test:full"');
  },
);

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

function filesIn(folder: string, extension: string): readonly string[] {
  if (!existsSync(join(root, folder))) return [];
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(extension)).map((file) => join(folder, file));
}

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
