// Builds the documentation site in docs/site/dist: `npm run docs`. It installs the tools of docs/site, copies the Markdown
// files in the layout of the repository, so that their links stay valid, and generates the API reference from the
// docstrings. A dead link fails the build.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const site = join(root, "docs/site");
const content = join(site, ".content");

installTools();
rmSync(content, { recursive: true, force: true });
cpSync(join(site, "index.md"), join(content, "index.md"));
for (const file of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]) copyPage(file);
copyFolder("docs");
copyFolder("examples");
run("npm", "run", "--silent", "api");
run("npm", "run", "--silent", "build");
console.log("the site is in docs/site/dist");

/** Installs the tools if the lock file is newer than the installed packages. */
function installTools(): void {
  const installed = join(site, "node_modules/.package-lock.json");
  const isFresh =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(site, "package-lock.json")).mtimeMs;
  if (!isFresh) run("npm", "ci", "--no-audit", "--no-fund");
}

function copyFolder(folder: string): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (path === "docs/site") continue;
    if (entry.isDirectory()) copyFolder(path);
    else if (path.endsWith(".md")) copyPage(path);
    else if (path.endsWith(".ts")) writeProgram(path);
    else cpSync(join(root, path), join(content, path));
  }
}

function copyPage(path: string): void {
  const text = readFileSync(join(root, path), "utf8");
  // Programs have pages of their own.
  write(path, text.replace(/\]\(([^):]+\.ts)\)/g, "]($1.md)"));
}

/** A page that shows a program. */
function writeProgram(path: string): void {
  const code = readFileSync(join(root, path), "utf8");
  write(`${path}.md`, `# ${path}\n\n\`\`\`ts\n${code}\`\`\`\n`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(content, path)), { recursive: true });
  writeFileSync(join(content, path), text);
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { cwd: site, stdio: "inherit" });
}
