import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of this repository. */
export const root: string = fileURLToPath(new URL("../../..", import.meta.url));

/** All files in a folder and its folders with this extension, as paths from the top of the repository. */
export function filesIn(folder: string, extension: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_DOCUMENTS.has(path) ? [] : filesIn(path, extension);
    return entry.name.endsWith(extension) ? [path] : [];
  });
}

// The tools of the documentation site, with their installed packages.
const NOT_DOCUMENTS: ReadonlySet<string> = new Set(["docs/site"]);

/** The Markdown files that users read. */
export const DOCUMENTS: readonly string[] = [
  ...readdirSync(root).filter((file) => file.endsWith(".md")),
  ...filesIn("docs", ".md"),
  ...filesIn("examples", ".md"),
];
