// The page of the monitor: reads the stream at its own address, and shows the latest state once per frame.
import type { Message, ProviderRow } from "../src/monitor/message.ts";
import { Announcer } from "./announcer.ts";
import { Charts } from "./charts.ts";
import { Decisions } from "./decisions.ts";
import { byId, setAttribute, setText } from "./dom.ts";
import { Providers } from "./providers.ts";
import { Queue } from "./queue.ts";
import { countText, durationText } from "./text.ts";

/** A stream without a message for so long is broken, also if the browser has not noticed. */
const SILENT_MS = 5_000;
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
let heardAt = 0;
let hasFrame = false;
let retryAt = 0;

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
  // The same address: the stream is asked for by its type.
  source = new EventSource(location.href);
  source.onmessage = ({ data }: MessageEvent<string>) => receive(JSON.parse(data) as Message);
  source.onerror = lose;
}

function lose(): void {
  showConnection("lost", latest === null ? "No connection. Retrying" : "Connection lost. Retrying");
  // The browser repeats by itself, unless the answer was no stream.
  if (source?.readyState === EventSource.CLOSED) retryAt = Date.now() + RETRY_MS;
}

setInterval(() => {
  const now = Date.now();
  if (heardAt > 0 && now - heardAt > SILENT_MS && retryAt === 0) {
    lose();
    retryAt = now;
  }
  if (retryAt === 0 || now < retryAt) return;
  retryAt = 0;
  heardAt = now;
  connect();
}, 500);

pause.addEventListener("click", () => {
  const isPaused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", `${isPaused}`);
  setText(pause, isPaused ? "Paused" : "Pause");
  requestShow();
});

connect();
