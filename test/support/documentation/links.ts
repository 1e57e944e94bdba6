/** A link of a Markdown text. */
export interface Link {
  readonly line: number;
  readonly target: string;
}

/** All links and pictures of a Markdown text, without those in code. */
export function linksOf(text: string): readonly Link[] {
  return linesOutsideCode(text).flatMap(({ line, content }) =>
    [...content.replace(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({ line, target: match[1]! })),
  );
}

/** The anchors of all headings, as code hosts make them: lower case, without punctuation, with hyphens. */
export function headingAnchors(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const { content } of linesOutsideCode(text)) {
    const heading = /^#+ (.*)$/.exec(content)?.[1];
    if (heading === undefined) continue;
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    let unique = anchor;
    for (let copy = 1; anchors.has(unique); copy++) unique = `${anchor}-${copy}`;
    anchors.add(unique);
  }
  return anchors;
}

function linesOutsideCode(text: string): readonly { readonly line: number; readonly content: string }[] {
  let isCode = false;
  return text.split("\n").flatMap((content, index) => {
    const isFence = /^\s*```/.test(content);
    if (isFence) isCode = !isCode;
    return isCode || isFence ? [] : [{ line: index + 1, content }];
  });
}
