// The page of the monitor: reads the stream at its own address, and shows the latest state once per frame.
import type { Message, ProviderRow } from "../src/monitor/message.ts";
import { Announcer } from "./announcer.ts";
import { Charts } from "./charts.ts";
import { Decisions } from "./decisions.ts";
import { byId, setAttribute, setText } from "./dom.ts";
import { Providers } from "./providers.ts";
import { Queue } from "./queue.ts";
import { countText, durationText } from "./text.ts";

/** Without a message for so long, the connection is shown as lost. A stream that was renewed is back before. */
const LOST_MS = 4_000;
/** Without a message for so long, a stream is opened again, also if the browser has not noticed that it is broken. */
const SILENT_MS = 8_000;
const RETRY_MS = 2_000;

const charts = new Charts();
const providers = new Providers();
const queue = new Queue();
const decisions = new Decisions();
const announcer = new Announcer();
const pause = byId<HTMLButtonElement>("pause");

let source: EventSource | null = null;
let latest: Message | null = null;
/** Changed providers that are not shown yet. */
let changed = new Map<number, ProviderRow>();
/** Difference between the clock of this page and that of the messages: the smallest one, which was least delayed. */
let offsetMs = Number.POSITIVE_INFINITY;
let heardAt = Date.now();
let openedAt = 0;
let hasFrame = false;

function receive(message: Message): void {
  heardAt = Date.now();
  // After a restart of the server, its clock begins again.
  if (message.isFull) offsetMs = Number.POSITIVE_INFINITY;
  offsetMs = Math.min(offsetMs, heardAt - message.atMs);
  const isFirst = latest === null;
  latest = message;
  if (message.isFull) changed = new Map();
  const rows = new Map(message.providers);
  for (const [index, row] of rows) changed.set(index, row);
  charts.add(message.points, message.isFull);
  decisions.add(message.decisions, message.isFull);
  announcer.notice(rows, isFirst);
  showConnection("live", "Live");
  requestShow();
}

function requestShow(): void {
  if (hasFrame || pause.getAttribute("aria-pressed") === "true") return;
  hasFrame = true;
  requestAnimationFrame(() => {
    hasFrame = false;
    if (latest !== null) show(latest);
  });
}

function show({ title, waiting, inFlight, oldestMs, queue: rows, providerCount, isSampled }: Message): void {
  setText(byId("title"), title);
  document.title = `${title} – monitor`;
  setText(byId("tile-inFlight"), countText(inFlight));
  setText(byId("tile-waiting"), countText(waiting));
  setText(byId("tile-oldest"), oldestMs === null ? "–" : durationText(oldestMs));
  providers.show(changed, providerCount);
  changed = new Map();
  queue.show(rows, waiting);
  charts.show(offsetMs);
  decisions.show(offsetMs, isSampled);
}

function showConnection(state: "live" | "connecting" | "lost", text: string): void {
  setAttribute(byId("connection"), "data-state", state);
  setText(byId("connection-text"), text);
  document.body.classList.toggle("lost", state === "lost");
}

function connect(): void {
  source?.close();
  openedAt = Date.now();
  // The same address: the stream is asked for by its type.
  source = new EventSource(location.href);
  source.onmessage = ({ data }: MessageEvent<string>) => receive(JSON.parse(data) as Message);
}

setInterval(() => {
  const now = Date.now();
  const silentMs = now - heardAt;
  if (silentMs > LOST_MS)
    showConnection("lost", latest === null ? "No connection. Retrying" : "Connection lost. Retrying");
  // The browser repeats by itself, unless the answer was no stream.
  const isClosed = source?.readyState === EventSource.CLOSED && now - openedAt > RETRY_MS;
  if (isClosed || (silentMs > SILENT_MS && now - openedAt > SILENT_MS)) connect();
}, 500);

pause.addEventListener("click", () => {
  const isPaused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", `${isPaused}`);
  setText(pause, isPaused ? "Paused" : "Pause");
  requestShow();
});

connect();
