import { INCIDENT, SERVERS } from "./scenario.ts";

/** The state of a run at one instant; `refused` counts from the start of the run. */
export interface Sample {
  readonly atMs: number;
  readonly refused: number;
  /** Requests that have arrived and have no answer yet. */
  readonly unfinished: number;
}

/** One line of the picture. */
export interface Timeline {
  readonly label: string;
  readonly samples: readonly Sample[];
}

const WIDTH = 760;
const LEFT = 56;
const RIGHT = 16;
const PANEL_HEIGHT = 130;
const TOPS = [64, 254] as const;
const HEIGHT = 440;
// Colours with enough contrast on white and black, also for readers with colour blindness.
const COLOURS = ["#0e7490", "#d97706"] as const;

/** A picture of both runs: 429s so far, and requests without an answer, over time. */
export function timelineSvg(timelines: readonly Timeline[]): string {
  const endMs = Math.max(...timelines.map(({ samples }) => samples.at(-1)?.atMs ?? 0));
  const seconds = Math.ceil(endMs / 1_000);
  const x = (ms: number): number => LEFT + (ms / (seconds * 1_000)) * (WIDTH - LEFT - RIGHT);
  const panels = [
    panel("429 responses so far", TOPS[0], timelines, x, seconds, ({ refused }) => refused),
    panel("requests without an answer yet", TOPS[1], timelines, x, seconds, ({ unfinished }) => unfinished),
  ];
  const legend = timelines.map(
    ({ label }, index) =>
      `<line x1="${LEFT + index * 300}" y1="24" x2="${LEFT + 24 + index * 300}" y2="24" stroke="${COLOURS[index]}" stroke-width="3"/>` +
      `<text x="${LEFT + 32 + index * 300}" y="28" class="label">${label}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="429 responses and requests without an answer over time, with and without grate-limiter">
<style>
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #334155; }
  .label, .title { font-size: 13px; font-weight: 600; }
  .number { text-anchor: end; }
</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#ffffff" stroke="#e2e8f0"/>
${legend.join("\n")}
${panels.join("\n")}
<text x="${LEFT}" y="${HEIGHT - 12}">seconds; ${Object.keys(SERVERS).length} servers at 85 % of their limits, one of them down during the shaded time (npm run demo)</text>
</svg>
`;
}

function panel(
  title: string,
  top: number,
  timelines: readonly Timeline[],
  x: (ms: number) => number,
  seconds: number,
  amountOf: (sample: Sample) => number,
): string {
  const highest = Math.max(10, ...timelines.flatMap(({ samples }) => samples.map(amountOf)));
  const ceiling = Math.ceil(highest / 20) * 20;
  const y = (value: number): number => top + PANEL_HEIGHT - (value / ceiling) * PANEL_HEIGHT;
  const grid = [0, ceiling / 2, ceiling].map(
    (value) =>
      `<line x1="${LEFT}" y1="${y(value)}" x2="${WIDTH - RIGHT}" y2="${y(value)}" stroke="#e2e8f0"/>` +
      `<text x="${LEFT - 8}" y="${y(value) + 4}" class="number">${value}</text>`,
  );
  const ticks = Array.from({ length: Math.floor(seconds / 2) + 1 }, (_, index) => index * 2).map(
    (second) => `<text x="${x(second * 1_000)}" y="${top + PANEL_HEIGHT + 18}" text-anchor="middle">${second}</text>`,
  );
  const lines = timelines.map(({ samples }, index) => {
    const points = [{ atMs: 0, refused: 0, unfinished: 0 }, ...samples].map(
      (sample) => `${x(sample.atMs).toFixed(1)},${y(amountOf(sample)).toFixed(1)}`,
    );
    return `<polyline points="${points.join(" ")}" fill="none" stroke="${COLOURS[index]}" stroke-width="2" stroke-linejoin="round"/>`;
  });
  const outage = `<rect x="${x(INCIDENT.fromMs)}" y="${top}" width="${x(INCIDENT.toMs) - x(INCIDENT.fromMs)}" height="${PANEL_HEIGHT}" fill="#f1f5f9"/>`;
  return `<text x="${LEFT}" y="${top - 10}" class="title">${title}</text>\n${[outage, ...grid, ...ticks, ...lines].join("\n")}`;
}
