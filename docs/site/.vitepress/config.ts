import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DefaultTheme, defineConfig } from "vitepress";

const content = fileURLToPath(new URL("../.content", import.meta.url));

/** A page of the sidebar, with the first heading as its text. */
function page(path: string, text?: string): DefaultTheme.SidebarItem {
  const heading = /^# (.*)$/m.exec(readFileSync(join(content, `${path}.md`), "utf8"))?.[1];
  return { text: text ?? heading ?? path, link: `/${path}` };
}

const API_KINDS: readonly (readonly [folder: string, text: string])[] = [
  ["classes", "Classes"],
  ["functions", "Functions"],
  ["interfaces", "Interfaces"],
  ["type-aliases", "Types"],
  ["variables", "Constants"],
];

/** The generated pages of the API, by kind. */
function apiPages(): DefaultTheme.SidebarItem[] {
  return API_KINDS.filter(([folder]) => existsSync(join(content, "api", folder))).map(([folder, text]) => {
    const names = readdirSync(join(content, "api", folder)).map((file) => file.replace(/\.md$/, ""));
    const items = names.map((name) => ({ text: name, link: `/api/${folder}/${name}` }));
    return { text, collapsed: folder !== "classes", items };
  });
}

const guides = [
  "limits",
  "tokens-and-cost",
  "failover",
  "streaming",
  "batches",
  "keys-and-pools",
  "waiting",
  "health",
  "scoring",
  "leases",
  "advice",
  "http",
  "monitoring",
  "testing",
  "processes",
];
const recipes = ["http-server", "batch", "key-pool", "many-keys", "sms", "unit-tests"];

export default defineConfig({
  title: "grate-limiter",
  description: "Sends each request to the API provider that can serve it now.",
  // For a site that is not at the top of its host.
  base: process.env["DOCS_BASE"] ?? "/",
  srcDir: ".content",
  outDir: "dist",
  cleanUrls: true,
  lastUpdated: false,
  head: [["meta", { name: "theme-color", content: "#0e7490" }]],
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Guide", link: "/docs/concepts", activeMatch: "^/docs/(?:concepts|guides)" },
      { text: "Recipes", link: "/docs/recipes/http-server", activeMatch: "^/docs/recipes" },
      { text: "API", link: "/api/", activeMatch: "^/api" },
      { text: "Errors", link: "/docs/reference/errors" },
      { text: "Changelog", link: "/CHANGELOG" },
    ],
    sidebar: {
      "/api/": [{ text: "API reference", link: "/api/" }, ...apiPages()],
      "/": [
        { text: "Get started", items: [page("README", "Quick start"), page("docs/concepts")] },
        { text: "Guides", items: guides.map((name) => page(`docs/guides/${name}`)) },
        { text: "Recipes", items: recipes.map((name) => page(`docs/recipes/${name}`)) },
        {
          text: "Reference",
          items: [
            page("docs/reference/options"),
            page("docs/reference/errors"),
            { text: "API", link: "/api/" },
            page("examples/README"),
          ],
        },
        {
          text: "Understand",
          items: [
            page("docs/understand/decision"),
            page("docs/understand/sliding-window"),
            page("docs/understand/guarantees"),
            page("docs/performance", "Benchmarks"),
            page("docs/understand/limitations"),
            page("docs/ports"),
            page("docs/architecture"),
          ],
        },
      ],
    },
  },
});
