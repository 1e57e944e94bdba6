// provisional model
import type { Clock } from "../../../src/api/clock.ts";
import type { SentMessage, StoreAnswer } from "../../../src/fleet/message.ts";

interface Process {
  held: Map<string, number>;
  turn: number;
  ledger: number;
  expiresAt: number;
  waitsSince: number | null;
  until: number;
  wants: SentMessage["wants"];
}
interface Group {
  epoch: string;
  processes: Map<string, Process>;
  logs: Map<string, [number, number][]>;
  openAt: number;
}

export class ModelStore {
  readonly groups = new Map<string, Group>();
  exchanges = 0;
  epochs = 0;
  constructor(
    readonly clock: Clock,
    readonly graceMs = 500,
  ) {}
  empty(): void {
    this.groups.clear();
  }

  exchange(name: string, sent: SentMessage): Promise<StoreAnswer> {
    return Promise.resolve(this.step(name, sent));
  }

  step(name: string, sent: SentMessage): StoreAnswer {
    this.exchanges++;
    const now = this.clock.now();
    let group = this.groups.get(name);
    if (group === undefined) {
      group = {
        epoch: `e${++this.epochs}`,
        processes: new Map(),
        logs: new Map(),
        openAt: this.epochs === 1 && sent.epoch === null ? now : now + this.graceMs,
      };
      this.groups.set(name, group);
    }
    if (sent.epoch !== null && sent.epoch !== group.epoch) return { status: "rebuild", epoch: group.epoch };
    let me = group.processes.get(sent.process);
    if (me !== undefined && sent.turn <= me.turn) return { status: "stale" };
    for (const [id, other] of group.processes) {
      if (other.expiresAt >= now) continue;
      for (const [quota, amount] of other.held) group.logs.get(quota)?.push([now, amount]);
      group.processes.delete(id);
      if (other === me) me = undefined;
    }
    if (me === undefined) {
      me = { held: new Map(), turn: 0, ledger: 0, expiresAt: 0, waitsSince: null, until: 0, wants: [] };
      group.processes.set(sent.process, me);
    }
    me.turn = sent.turn;
    me.expiresAt = now + sent.ttlMs + 1_000;
    const isNew = sent.ledger > me.ledger;
    me.ledger = sent.ledger;
    const free = new Map<string, number>();
    for (const quota of sent.quotas) {
      if (quota.kind !== "places" && !group.logs.has(quota.id)) group.logs.set(quota.id, []);
      const log = group.logs.get(quota.id) ?? [];
      if (isNew) for (const [age, amount] of quota.used) log.push([now - age, amount]);
      const kept = log.filter(([at]) => at > now - quota.windowMs).sort((a, b) => a[0] - b[0]);
      if (group.logs.has(quota.id)) group.logs.set(quota.id, kept);
      me.held.set(quota.id, quota.held);
      free.set(quota.id, quota.limit - sum(kept) - this.held(group, quota.id));
    }
    const granted = new Map<string, number>();
    const served = sent.wants.map(() => 0);
    const spare = new Map(sent.quotas.map((quota) => [quota.id, quota.spare]));
    let isBlocked = now < group.openAt;
    const waiting = [...group.processes.values()].filter(
      (other) => other !== me && other.waitsSince !== null && other.until > now,
    );
    const ahead = waiting.filter((other) => me!.waitsSince === null || other.waitsSince! < me!.waitsSince);
    const claimed = new Map<string, number>();
    for (const other of ahead)
      for (const { needs, count } of other.wants)
        for (const [id, need] of Object.entries(needs)) claimed.set(id, (claimed.get(id) ?? 0) + need * count);
    for (const [index, { needs, count }] of sent.wants.entries()) {
      for (let i = 0; i < count && !isBlocked; i++) {
        const entries = Object.entries(needs);
        if (
          entries.every(([id, need]) => need <= spare.get(id)! + Math.max(0, free.get(id)! - (claimed.get(id) ?? 0)))
        ) {
          for (const [id, need] of entries) {
            const own = Math.min(spare.get(id)!, need);
            spare.set(id, spare.get(id)! - own);
            free.set(id, free.get(id)! - (need - own));
            granted.set(id, (granted.get(id) ?? 0) + need - own);
          }
          served[index]!++;
        } else isBlocked = true;
      }
    }
    for (const quota of sent.quotas) {
      if (isBlocked || quota.ahead === 0) continue;
      const amount = Math.max(
        0,
        Math.min(
          quota.ahead,
          Math.floor((free.get(quota.id)! - (claimed.get(quota.id) ?? 0)) / (2 * group.processes.size)),
        ),
      );
      granted.set(quota.id, (granted.get(quota.id) ?? 0) + amount);
      free.set(quota.id, free.get(quota.id)! - amount);
    }
    const isUnserved = sent.wants.some(({ count }, index) => served[index]! < count);
    me.wants = sent.wants.map(({ needs, count }, index) => ({ needs, count: count - served[index]! }));
    if (!isUnserved) me.waitsSince = null;
    else me.waitsSince ??= now;
    let retryInMs: number | null = null;
    if (isUnserved) {
      retryInMs = now < group.openAt ? group.openAt - now : 160;
      for (const quota of sent.quotas) {
        const first = group.logs.get(quota.id)?.[0];
        if (first !== undefined) retryInMs = Math.min(retryInMs, Math.max(10, first[0] + quota.windowMs - now));
      }
      me.until = now + retryInMs + 500;
    }
    for (const [id, amount] of granted) me.held.set(id, me.held.get(id)! + amount);
    const answer = sent.quotas.map((quota) => ({
      granted: granted.get(quota.id) ?? 0,
      used: sum(group!.logs.get(quota.id) ?? []),
      held: this.held(group!, quota.id),
    }));
    const processes = group.processes.size;
    if (sent.isLeaving) group.processes.delete(sent.process);
    return {
      status: "ok",
      epoch: group.epoch,
      processes,
      othersWait: waiting.length > 0,
      quotas: answer,
      served,
      retryInMs,
      news: [],
    };
  }

  held(group: Group, id: string): number {
    return [...group.processes.values()].reduce((all, { held }) => all + (held.get(id) ?? 0), 0);
  }
}

function sum(log: readonly (readonly [number, number])[]): number {
  return log.reduce((all, [, amount]) => all + amount, 0);
}
