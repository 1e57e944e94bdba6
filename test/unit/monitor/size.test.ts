import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** Size of the handler: minified and gzipped, without the page and without the core. */
async function handlerBytes(): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: ["src/monitor/index.ts"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external: ["grate-limiter"],
    tsconfigRaw: {},
    plugins: [
      {
        name: "without-the-page",
        setup: ({ onLoad }) => {
          const contents = 'export const PAGE = ""; export const CONTENT_SECURITY_POLICY = "";';
          onLoad({ filter: /built-page\.ts$/ }, () => ({ contents }));
        },
      },
    ],
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).byteLength;
}

it("the handler of the monitor has at most 6 kB without the page", async () => {
  const bytes = await handlerBytes();
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThanOrEqual(6_000);
});
