// Takes the pictures of docs/guides/monitor.md from the demo: `npx tsx --tsconfig tsconfig.tools.json
// test/integration/monitor/screenshots.ts`, after `npm run test:monitor` has installed the browser's remote control.
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../../support/packed/packed-project.ts";
import { Browser, chromiumPath, type Package, until } from "./browser.ts";

const FOLDER = join(root, "docs/guides/images");
const MOST_BYTES = 150_000;

// Servers that state no limits make calls wait.
const demo = spawn("npm", ["run", "demo", "--", "--monitor", "--no-headers", "--seed", "3"], {
  ...{ cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  detached: true,
});
const address = await new Promise<string>((resolve) => {
  let printed = "";
  demo.stdout!.on("data", (chunk) => {
    printed += chunk;
    const match = /http:\/\/127\.0\.0\.1:\d+\//.exec(printed);
    if (match !== null) resolve(match[0]);
  });
});
// The servers of the demo start meanwhile.
await sleep(4_000);
const browser = await Browser.launch(chromiumPath()!);
const light = await browser.open(address);
const dark = await browser.open(address, { scheme: "dark" });
const phone = await browser.open(address, { width: 390 });
await mkdir(FOLDER, { recursive: true });

const number = (id: string) => `Number(document.getElementById("${id}").textContent.replaceAll(",", ""))`;
await until(light.page, `${number("tile-inFlight")} > 0`, 30_000);
// The first burst comes after 1.5 s, and the incident after 5 s.
await sleep(1_300);
await shoot("calm", dark.page);
await until(light.page, `document.getElementById("provider-rows").textContent.includes("Cooldown")`, 30_000);
await Promise.all([shoot("cooldown", light.page), shoot("phone", phone.page)]);
await until(light.page, `${number("tile-waiting")} > 20`, 30_000);
await shoot("overload", light.page);
await browser.close();
process.kill(-demo.pid!);
process.exit(0);

/** Writes a picture as WebP, which the browser itself encodes. */
async function shoot(name: string, page: Package): Promise<void> {
  const png: Buffer = await page.screenshot({ fullPage: true });
  const { page: encoder, close } = await browser.open("about:blank");
  const url: string = await encoder.evaluate(`(async () => {
    const image = new Image();
    image.src = "data:image/png;base64,${png.toString("base64")}";
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.85);
  })()`);
  await close();
  const bytes = Buffer.from(url.split(",")[1]!, "base64");
  if (bytes.length > MOST_BYTES) throw new Error(`${name}: ${bytes.length} bytes`);
  await writeFile(join(FOLDER, `monitor-${name}.webp`), bytes);
  console.log(`${name}: ${Math.round(bytes.length / 1_000)} kB`);
}
