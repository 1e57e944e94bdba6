// Writes `src/monitor/built-page.ts`: `npm run build:page`.
import { writeMonitorPage } from "./monitor-page.ts";

writeMonitorPage();
