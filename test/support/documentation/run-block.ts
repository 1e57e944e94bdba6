import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import { moduleOf, type Surroundings } from "./block-module.ts";
import type { CodeBlock } from "./code-blocks.ts";
import { EXPECTATIONS, Expectations, instrument } from "./expectations.ts";

let runs = 0;

/** Runs a block as a module. Throws its errors and one error for every wrong statement of a value. */
export async function runBlock(root: string, block: CodeBlock, surroundings: readonly Surroundings[]): Promise<void> {
  const { code, lines } = instrument(block);
  const expectations = new Expectations(block.file);
  runs += 1;
  // A query gives each block its own copy of the prelude.
  const fresh = surroundings.map(({ specifier, names }) => ({
    specifier: specifier.endsWith(".ts") ? `${specifier}?${runs}` : specifier,
    names,
  }));
  const key = `${EXPECTATIONS}${runs}`;
  vi.stubGlobal(key, expectations);
  const output = vi.spyOn(console, "log").mockImplementation(() => {});
  const cache = join(root, ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "readme-"));
  try {
    const path = join(folder, `${block.file.replaceAll("/", "-")}.${block.line}.ts`);
    const given = `const ${EXPECTATIONS} = globalThis[${JSON.stringify(key)}];`;
    // On the line above the first line of the block, or on the same line if that is the first of the file.
    const text = moduleOf(block, code, fresh);
    await writeFile(path, `${given}${text}`);
    await import(/* @vite-ignore */ path);
  } finally {
    output.mockRestore();
    vi.unstubAllGlobals();
    await rm(folder, { recursive: true, force: true });
  }
  expectations.expectReached(lines);
}
