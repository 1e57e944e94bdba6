// Builds the page of the monitor into one module: the HTML with its style and its script, and the security policy that allows
// only these two. `src/monitor/built-page.ts` is not in the repository; the build, the tests and the demo call this first.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "monitor-page");
const chartLibrary = join(root, "node_modules/uplot");

/** Path of the built module. */
export const BUILT_PAGE: string = join(root, "src/monitor/built-page.ts");

/** The page, and its Content-Security-Policy. */
export interface MonitorPage {
  readonly html: string;
  readonly policy: string;
}

/** Builds the page in memory. Throws if a source file is invalid. */
export function monitorPage(): MonitorPage {
  const script = bundled("main.ts");
  const style = minified(`${read(join(chartLibrary, "dist/uPlot.min.css"))}\n${read(join(folder, "page.css"))}`);
  const licence = read(join(chartLibrary, "LICENSE")).trim().replaceAll("--", "- -");
  const html = read(join(folder, "index.html"))
    .replace(/>\s*\n\s*</g, ">\n<")
    // Functions, because a text can contain patterns such as "$&".
    .replace("/* page.css */", () => style)
    .replace("/* main.ts */", () => script)
    .replace("<head>", () => `<head>\n<!--\nThe charts are drawn by uPlot:\n\n${licence}\n-->`);
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // The page writes text only, never markup.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return { html, policy: policy.join("; ") };
}

/** Builds the module, and writes it if it changed. */
export function writeMonitorPage(): void {
  const { html, policy } = monitorPage();
  const text = [
    "// Built by scripts/monitor-page.ts from monitor-page/: change the files there.",
    `export const PAGE: string = ${JSON.stringify(html)};`,
    `export const CONTENT_SECURITY_POLICY: string = ${JSON.stringify(policy)};`,
    "",
  ].join("\n");
  if (existsSync(BUILT_PAGE) && read(BUILT_PAGE) === text) return;
  writeFileSync(BUILT_PAGE, text);
}

function bundled(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(folder, entry)],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    write: false,
    charset: "utf8",
    legalComments: "none",
    logLevel: "error",
    tsconfigRaw: {},
  });
  // The parser of HTML would end the script there.
  const script = outputFiles[0]!.text.trim();
  if (/<\/script|<!--/i.test(script)) throw new Error("monitor-page: the script contains markup");
  return script;
}

function minified(css: string): string {
  const { outputFiles } = buildSync({
    stdin: { contents: css, loader: "css" },
    minify: true,
    write: false,
    legalComments: "none",
    logLevel: "error",
  });
  return outputFiles[0]!.text.trim();
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text, "utf8").digest("base64")}`;
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
