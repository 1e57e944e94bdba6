// The dashboard for Grafana: its form, and the names of the metrics in its queries.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { INSTRUMENTS } from "../../../src/telemetry/instruments.ts";

const SOURCE = { type: "object", required: ["type", "uid"], properties: { type: { const: "prometheus" } } };
// The parts of Grafana's dashboard JSON model, schema version 39, that an import needs.
const SCHEMA = {
  type: "object",
  required: ["uid", "title", "schemaVersion", "panels", "templating", "time"],
  properties: {
    uid: { type: "string", maxLength: 40 },
    schemaVersion: { type: "integer", minimum: 36 },
    panels: {
      type: "array",
      minItems: 5,
      items: {
        type: "object",
        required: ["id", "type", "title", "gridPos", "targets", "datasource"],
        properties: {
          type: { enum: ["timeseries", "stat", "gauge", "bargauge", "table", "state-timeline", "heatmap"] },
          datasource: SOURCE,
          gridPos: {
            type: "object",
            required: ["x", "y", "w", "h"],
            properties: { x: { minimum: 0, maximum: 23 }, w: { minimum: 1, maximum: 24 } },
          },
          targets: {
            type: "array",
            minItems: 1,
            items: { type: "object", required: ["refId", "expr"], properties: { datasource: SOURCE } },
          },
        },
      },
    },
  },
};

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const file = new URL("../../../dashboards/grafana.json", import.meta.url);
const dashboard = JSON.parse(readFileSync(file, "utf8")) as Dashboard;

describe("the dashboard for Grafana", () => {
  it("has the form that an import needs", () => {
    const validate = new Ajv2020({ allErrors: true }).compile(SCHEMA);
    validate(dashboard);
    expect(validate.errors).toBeNull();
  });

  it("has unique ids, and no panel covers another", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { gridPos: a }] of panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      for (const { gridPos: b } of panels.slice(index + 1)) {
        const isApart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(isApart, JSON.stringify([a, b])).toBe(true);
      }
    }
  });

  it("asks for metrics that exist", () => {
    const names = Object.keys(INSTRUMENTS);
    const asked = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/grate_limiter_\w+/g) ?? []),
    );
    expect(asked.length).toBeGreaterThan(10);
    const unknown = asked.filter((name) => {
      const bare = name.replace("grate_limiter_", "").replace(/_(total|bucket|sum|count)$/, "");
      return !names.some((each) => each === bare || each === bare.replace(/_seconds$/, ""));
    });
    expect(unknown).toEqual([]);
  });
});
