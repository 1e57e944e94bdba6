import uPlot from "uplot";
import { KEPT_POINTS, POINT_MS, type Point } from "../src/monitor/message.ts";
import { byId, make, setAttribute, setText } from "./dom.ts";
import { countText, durationText, rateText } from "./text.ts";

type Field = Exclude<keyof Point, "atMs">;

interface Line {
  readonly field: Field;
  readonly label: string;
  readonly color: string;
  readonly isDashed?: boolean;
}

interface Plan {
  readonly lines: readonly Line[];
  /** Smallest top of the scale, so that a calm chart is not noise. */
  readonly least: number;
  text(value: number): string;
}

const PLANS: readonly Plan[] = [
  {
    lines: [
      { field: "granted", label: "Granted/s", color: "--used" },
      { field: "refused", label: "Refused/s", color: "--bad" },
      { field: "failovers", label: "Failovers/s", color: "--warn", isDashed: true },
    ],
    least: 5,
    text: rateText,
  },
  {
    lines: [
      { field: "inFlight", label: "In flight", color: "--used" },
      { field: "waiting", label: "Waiting", color: "--info" },
    ],
    least: 5,
    text: countText,
  },
  {
    lines: [{ field: "oldestMs", label: "Longest wait", color: "--info" }],
    least: 1_000,
    text: (ms) => (ms === 0 ? "none" : durationText(ms)),
  },
];

const GAP_MS = 4 * POINT_MS;
const SPAN_S = (KEPT_POINTS * POINT_MS) / 1_000;
/** Shortest span: the first minute of a page. */
const LEAST_SPAN_S = 60;

/** One chart with its legend. */
class Chart {
  readonly #plan: Plan;
  readonly #figure = make("figure");
  readonly #plot = make("div", "plot");
  readonly #values: readonly HTMLElement[];
  #chart: uPlot | null = null;
  #data: uPlot.AlignedData = [[]];

  constructor(plan: Plan, parent: HTMLElement) {
    this.#plan = plan;
    const caption = make("figcaption");
    this.#values = plan.lines.map(({ label, color, isDashed }) => {
      const item = make("span");
      const swatch = make("i", isDashed ? "dashed" : "");
      swatch.style.borderTopColor = `var(${color})`;
      const value = make("b");
      item.append(swatch, `${label} `, value);
      caption.append(item);
      return value;
    });
    // The numbers of the caption say the same.
    this.#plot.setAttribute("aria-hidden", "true");
    this.#figure.append(caption, this.#plot);
    parent.append(this.#figure);
    new ResizeObserver(() => this.#resize()).observe(this.#plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(points: readonly Point[], offsetMs: number): void {
    const times: number[] = [];
    const series: (number | null)[][] = this.#plan.lines.map(() => []);
    points.forEach((point, index) => {
      const before = points[index - 1];
      if (before !== undefined && point.atMs - before.atMs > GAP_MS) {
        times.push((before.atMs + POINT_MS + offsetMs) / 1_000);
        for (const values of series) values.push(null);
      }
      times.push((point.atMs + offsetMs) / 1_000);
      this.#plan.lines.forEach(({ field }, line) => {
        series[line]!.push(point[field]);
      });
    });
    this.#data = [times, ...series];
    const last = points.at(-1);
    this.#values.forEach((value, index) => {
      setText(value, last === undefined ? "–" : this.#plan.text(last[this.#plan.lines[index]!.field]));
    });
    if (this.#chart === null) this.#draw();
    else this.#chart.setData(this.#data);
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#plot;
    if (width > 0) this.#chart?.setSize({ width, height });
  }

  #draw(): void {
    this.#chart?.destroy();
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const { clientWidth: width, clientHeight: height } = this.#plot;
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = {
      stroke: color("--quiet"),
      font,
      ticks: { show: false },
      grid: { stroke: color("--grid"), width: 1 },
    };
    const options: uPlot.Options = {
      width: Math.max(1, width),
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 22, 0, 0],
      scales: {
        x: {
          range: () => {
            const end = Date.now() / 1_000;
            const known = end - (this.#data[0][0] ?? end);
            return [end - Math.min(SPAN_S, Math.max(LEAST_SPAN_S, known)), end];
          },
        },
        y: { range: (_, __, max) => [0, Math.max(this.#plan.least, (max ?? 0) * 1.1)] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          space: 60,
          incrs: [15, 30, 60, 120, 300],
          grid: { show: false },
          values: (_, splits) => splits.map(timeText),
        },
        {
          ...axis,
          size: 52,
          space: 34,
          values: (_, splits) => splits.map((value) => (value === 0 ? "0" : this.#plan.text(value).replace(".0", ""))),
        },
      ],
      series: [
        {},
        ...this.#plan.lines.map((line) => ({
          stroke: color(line.color),
          width: 1.75,
          ...(line.isDashed ? { dash: [3, 3] } : {}),
          points: { show: false },
        })),
      ],
    };
    this.#chart = new uPlot(options, this.#data, this.#plot);
  }
}

const MINUTES = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function timeText(at: number): string {
  return (at % 60 === 0 ? MINUTES : SECONDS).format(at * 1_000);
}

/** The charts, and the tiles that show their latest point. */
export class Charts {
  readonly #charts: readonly Chart[];
  #points: Point[] = [];

  constructor() {
    const list = byId("chart-list");
    this.#charts = PLANS.map((plan) => new Chart(plan, list));
  }

  /** Keeps new points. */
  add(points: readonly Point[], isAll: boolean): void {
    this.#points = [...(isAll ? [] : this.#points), ...points].slice(-KEPT_POINTS);
  }

  show(offsetMs: number): void {
    for (const chart of this.#charts) chart.show(this.#points, offsetMs);
    const last = this.#points.at(-1);
    for (const name of ["granted", "refused", "failovers"] as const) {
      setText(byId(`tile-${name}`), last === undefined ? "–" : rateText(last[name]));
    }
    setAttribute(byId("chart-list"), "data-points", `${this.#points.length}`);
  }
}
