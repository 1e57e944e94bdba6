/** Everything that the release check reads. */
export interface ReleaseState {
  readonly manifest: { readonly [field: string]: unknown };
  readonly changelog: string;
  readonly performance: string;
  /** The output of `git status --porcelain`. */
  readonly uncommitted: string;
  /** The tag of the release, such as `v1.2.3`, if there is one already. */
  readonly tag?: string | undefined;
}

const PLACEHOLDER = /HOST|OWNER|NAME|example\.(?:com|org)|localhost|TODO/;

/** The reasons not to publish. Empty: the release is ready. */
export function problemsOfRelease({ manifest, changelog, performance, uncommitted, tag }: ReleaseState): string[] {
  const problems: string[] = [];
  for (const field of ["repository", "homepage", "bugs"]) {
    const address = addressOf(manifest[field]);
    if (address === undefined) problems.push(`package.json: ${field} is missing; the publisher sets it (RELEASING.md)`);
    else if (!/^(?:git\+)?https:\/\/[^/]+\/.+/.test(address)) {
      problems.push(`package.json: ${field}: expected an https address, got ${JSON.stringify(address)}`);
    } else if (PLACEHOLDER.test(address)) problems.push(`package.json: ${field}: ${address} is a placeholder`);
  }
  const version = String(manifest["version"]);
  if (manifest["private"] === true) problems.push("package.json: private is true");
  if (tag !== undefined && tag !== `v${version}`) problems.push(`tag ${tag} does not match the version ${version}`);
  const headings = changelog.split("\n").filter((line) => line.startsWith("## "));
  if (!headings.some((heading) => heading.startsWith(`## ${version}`))) {
    problems.push(`CHANGELOG.md: expected a section "## ${version}"`);
  }
  if (headings.some((heading) => heading.includes("Unreleased"))) {
    problems.push('CHANGELOG.md: "Unreleased" is still a heading');
  }
  if (performance.includes("provisional")) problems.push("docs/performance.md is provisional: run npm run bench again");
  if (uncommitted.trim() !== "") problems.push(`uncommitted files:\n${uncommitted.trimEnd()}`);
  return problems;
}

function addressOf(field: unknown): string | undefined {
  if (typeof field === "string" && field !== "") return field;
  const { url } = (field ?? {}) as { url?: unknown };
  return typeof url === "string" && url !== "" ? url : undefined;
}
