// A provider on a MockClock with a true capacity, a latency and faults. Every request arrives when it is sent, and its answer
// takes the latency. The log has every request with its outcome.

import type { MockClock } from "../../../src/index.ts";
import { HttpError } from "../run-fixture.ts";
import { type Capacity, countCapacity } from "./capacity.ts";

/** Kinds of failures, as clients report them. */
export type FaultKind = "500" | "503" | "reset" | "timeout" | "429" | "429 with Retry-After";

/** A period in which a provider fails. */
export interface Fault {
  readonly kind: FaultKind;
  readonly fromMs: number;
  readonly toMs: number;
  /** Milliseconds until the client knows of a failure. */
  readonly answerMs: number;
  /** Share of the requests that fail. Default 1. */
  readonly share?: number;
  /** Share of the requests in flight at the beginning that fail then. Default 1. */
  readonly killed?: number;
}

export interface ProviderModel {
  readonly name: string;
  readonly capacity: Capacity;
  readonly latencyMs: number;
  readonly faults: readonly Fault[];
  /** Whether a 429 for missing capacity states a wait. */
  readonly statesWait: boolean;
  /** Milliseconds until the client knows of such a 429. */
  readonly refusalMs: number;
}

/** One request that a provider received. */
export interface ReceivedRequest {
  readonly call: number;
  readonly at: number;
  /** Instant of the answer; Infinity: none yet. */
  answeredAt: number;
  outcome: "ok" | FaultKind | "poison" | "open";
  /** True if the failure came from a fault of the provider, and not from its capacity. */
  isFault: boolean;
}

export class SimulatedProvider {
  readonly model: ProviderModel;
  readonly log: ReceivedRequest[] = [];
  readonly #clock: MockClock;
  readonly #random: () => number;
  readonly #capacity;
  readonly #inFlight = new Set<(fault: Fault) => void>();

  constructor(clock: MockClock, model: ProviderModel, random: () => number) {
    this.#clock = clock;
    this.model = model;
    this.#random = random;
    this.#capacity = countCapacity(model.capacity);
    for (const fault of model.faults) {
      clock.wakeAt(fault.fromMs, () => {
        for (const kill of [...this.#inFlight]) if (random() < (fault.killed ?? 1)) kill(fault);
      });
    }
  }

  /** Resolves with the answer, or rejects with the error of a client. Poisonous requests always fail. */
  send(call: number, isPoisonous = false): Promise<string> {
    const { model } = this;
    const at = this.#clock.now();
    const request: ReceivedRequest = { call, at, answeredAt: Infinity, outcome: "open", isFault: false };
    this.log.push(request);
    const fault = model.faults.find(({ fromMs, toMs }) => at >= fromMs && at < toMs);
    if (fault !== undefined && this.#random() < (fault.share ?? 1)) {
      request.isFault = true;
      return this.#failAfter(request, fault.answerMs, fault.kind, fault.toMs);
    }
    const roomAt = this.#capacity.earliest(at);
    if (roomAt > at) {
      return this.#failAfter(request, model.refusalMs, model.statesWait ? "429 with Retry-After" : "429", roomAt);
    }
    this.#capacity.take(at);
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#inFlight.delete(kill);
        cancel();
        this.#capacity.release(this.#clock.now());
        request.answeredAt = this.#clock.now();
      };
      const kill = ({ kind, toMs }: Fault) => {
        end();
        request.outcome = kind;
        request.isFault = true;
        reject(errorOf(kind, toMs - this.#clock.now()));
      };
      const cancel = this.#clock.wakeAt(at + model.latencyMs, () => {
        end();
        request.outcome = isPoisonous ? "poison" : "ok";
        if (isPoisonous) reject(errorOf("500", 0));
        else resolve(`served by ${model.name}`);
      });
      this.#inFlight.add(kill);
    });
  }

  #failAfter(request: ReceivedRequest, ms: number, kind: FaultKind, untilMs: number): Promise<never> {
    return new Promise((_, reject) => {
      this.#clock.wakeAt(request.at + ms, () => {
        const now = this.#clock.now();
        request.answeredAt = now;
        request.outcome = kind;
        reject(errorOf(kind, untilMs - now));
      });
    });
  }
}

/** Error of a client. `waitMs`: time until the provider works or has capacity again. */
function errorOf(kind: FaultKind, waitMs: number): Error {
  const waitSeconds = Number.isFinite(waitMs) ? Math.max(1, Math.ceil(waitMs / 1_000)) : 1;
  switch (kind) {
    case "500":
      return new HttpError(500);
    case "503":
      return new HttpError(503);
    case "429":
      return new HttpError(429);
    case "429 with Retry-After":
      return new HttpError(429, { "retry-after": String(waitSeconds) });
    case "reset":
      return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    case "timeout":
      return Object.assign(new Error("timed out"), { code: "ETIMEDOUT" });
  }
}
