export { type MonitorOptions, monitorHandler } from "./monitor-handler.ts";
