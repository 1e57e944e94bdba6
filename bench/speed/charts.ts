// Charts of ratios as SVG text. The axes are powers of ten, because the values differ by a factor of a thousand.

/** One line of a chart; y is a ratio of times. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 80;
const RIGHT = 190;
const TOP = 40;
const BOTTOM = 50;
// A palette for readers with any colour vision (Okabe and Ito).
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

/** Lines over the same axes. */
export function lineChart(title: string, xTitle: string, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const x = scale(
    all.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale(
    all.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const parts = [
    ...y.ticks.map((value) => line(LEFT, y.at(value), WIDTH - RIGHT, y.at(value), "#ddd")),
    ...y.ticks.map((value) => text(LEFT - 8, y.at(value) + 4, ratio(value), "end")),
    ...x.ticks.map((value) => text(x.at(value), HEIGHT - BOTTOM + 20, value.toLocaleString("en"), "middle")),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, xTitle, "middle"),
    ...series.map(({ points }, i) => {
      const path = points.map((point) => `${x.at(point.x).toFixed(1)},${y.at(point.y).toFixed(1)}`).join(" ");
      return `<polyline points="${path}" fill="none" stroke="${colour(i)}" stroke-width="2"/>`;
    }),
    ...legend(series.map(({ name }) => name)),
  ];
  return picture(title, parts);
}

/** One bar for each entry, shortest time first. */
export function barChart(title: string, bars: readonly { readonly name: string; readonly y: number }[]): string {
  const sorted = [...bars].sort((a, b) => a.y - b.y);
  const left = 230;
  const x = scale(
    sorted.map((bar) => bar.y),
    left,
    WIDTH - 80,
  );
  const height = (HEIGHT - TOP - BOTTOM) / sorted.length;
  const parts = sorted.flatMap(({ name, y }, i) => {
    const top = TOP + i * height;
    const middle = top + height / 2 + 4;
    const width = (x.at(y) - left).toFixed(1);
    return [
      `<rect x="${left}" y="${(top + 4).toFixed(1)}" width="${width}" height="${(height - 8).toFixed(1)}" fill="${colour(0)}"/>`,
      text(left - 8, middle, name, "end"),
      text(x.at(y) + 6, middle, ratio(y), "start"),
    ];
  });
  return picture(title, parts);
}

/** Maps values to positions, between the powers of ten below and above all values. */
function scale(values: readonly number[], from: number, to: number) {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value: number): number => from + ((Math.log10(value) - least) / (most - least)) * (to - from),
    ticks: Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i)),
  };
}

function legend(names: readonly string[]): string[] {
  return names.flatMap((name, i) => {
    const y = TOP + 20 * i;
    return [
      line(WIDTH - RIGHT + 12, y, WIDTH - RIGHT + 32, y, colour(i)),
      text(WIDTH - RIGHT + 38, y + 4, name, "start"),
    ];
  });
}

function picture(title: string, parts: readonly string[]): string {
  const frame = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12"`;
  const background = `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`;
  const head = `<title>${escaped(title)}</title>${background}${text(LEFT, 22, title, "start", 'font-size="15" font-weight="bold"')}`;
  return `<svg ${frame}>\n${[head, ...parts].join("\n")}\n</svg>\n`;
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  return `<line x1="${x1}" y1="${y1.toFixed(1)}" x2="${x2}" y2="${y2.toFixed(1)}" stroke="${stroke}" stroke-width="2"/>`;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end", more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${more}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function colour(i: number): string {
  return COLOURS[i % COLOURS.length]!;
}

function ratio(value: number): string {
  return `${Number(value.toPrecision(2)).toLocaleString("en")}x`;
}
