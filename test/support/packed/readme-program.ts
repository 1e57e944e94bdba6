/** The first program of the README, and the output that the README states. */
export interface ReadmeProgram {
  readonly code: string;
  readonly output: string;
}

/** Reads the first `ts` block and the first `text` block after it. Throws if one is missing. */
export function readmeProgram(readme: string): ReadmeProgram {
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(readme);
  const output = /^```text\n([\s\S]*?)^```$/m.exec(readme.slice(code === null ? 0 : code.index + code[0].length));
  if (code === null || output === null) throw new Error("README.md: expected a ts block, then a text block");
  return { code: code[1]!, output: output[1]! };
}
