// Life of a lease.
//
//   state        headers    skewed      settle   abandon                     release   outlasted   taskEnded   placeFreed
//   unanswered   answered   late        done     uncounted lingering done    done
//   late         answered               done     lingering done              done
//   answered     answered               done     lingering done
//   uncounted               lingering                                                  uncounted   uncounted   freed
//   lingering                                                                          lingering   lingering   done
//   freed                   done
//   done
//
//   headers:    the response headers have arrived
//   skewed:     the instant has come from which the request counts though no headers arrived: grant + skewCapMs
//   settle:     an answer has ended
//   abandon:    the request ended without an answer (timeout, cancelled, expired)
//   release:    the request was never sent
//   outlasted:  the task of an abandoned request still runs at `freeFrom`
//   taskEnded:  that task has ended
//   placeFreed: the instant has come at which the place of an abandoned request is free
//
// Regimes: windows count the request from the first of headers, skewed, and settle on. An abandoned request may still be
// on its way or in work: its place is freed min(skewCapMs, 1 s) after its end, and it counts from grant + skewCapMs on, or,
// if that is endless, from the later of its end and grant + 1 s. Instants of counting never go back. While its task still
// runs, it keeps its place for longer, at most `leaseTimeoutMs`.
// An empty cell: the event cannot happen in that state, or changes nothing there.

/** Longest delay (ms) after which an abandoned request is expected to arrive. */
const LONGEST_DELAY_MS = 1_000;

/** The place of an abandoned request. */
interface HeldPlace {
  /** Earliest instant at which it is free. -Infinity: the task has outlasted that instant. */
  readonly freeFrom: number;
  /** Instant at which it is free if nothing more is heard: later than `freeFrom` while the task still runs. */
  readonly freeAt: number;
}

export type LeaseState =
  /** Open; the windows do not count it before `countsAt`. */
  | { readonly kind: "unanswered"; readonly countsAt: number; readonly expiresAt: number }
  /** Open, counted; no headers have arrived. */
  | { readonly kind: "late"; readonly countedFrom: number; readonly expiresAt: number }
  /** Open, counted since its headers. */
  | { readonly kind: "answered"; readonly countedFrom: number; readonly expiresAt: number }
  /** Ended; neither counted yet nor free. */
  | ({ readonly kind: "uncounted"; readonly countsAt: number } & HeldPlace)
  /** Ended, counted; its place is still taken. */
  | ({ readonly kind: "lingering"; readonly countedFrom: number } & HeldPlace)
  /** Ended, its place is free; not counted yet. */
  | { readonly kind: "freed"; readonly countsAt: number }
  /** Nothing of it is left. */
  | { readonly kind: "done"; readonly countedFrom: number };

export type LeaseStateKind = LeaseState["kind"];

export type LeaseEvent =
  | "headers"
  | "skewed"
  | "settle"
  | "abandon"
  | "release"
  | "outlasted"
  | "taskEnded"
  | "placeFreed";

/** The table above as data: the states to which each event can lead. */
export const LEASE_TRANSITIONS: {
  readonly [kind in LeaseStateKind]: { readonly [event in LeaseEvent]?: readonly LeaseStateKind[] };
} = {
  unanswered: {
    headers: ["answered"],
    skewed: ["late"],
    settle: ["done"],
    abandon: ["uncounted", "lingering", "done"],
    release: ["done"],
  },
  late: { headers: ["answered"], settle: ["done"], abandon: ["lingering", "done"], release: ["done"] },
  answered: { headers: ["answered"], settle: ["done"], abandon: ["lingering", "done"] },
  uncounted: { skewed: ["lingering"], outlasted: ["uncounted"], taskEnded: ["uncounted"], placeFreed: ["freed"] },
  lingering: { outlasted: ["lingering"], taskEnded: ["lingering"], placeFreed: ["done"] },
  freed: { skewed: ["done"] },
  done: {},
};

/** The terms of a grant. */
export interface LeaseTerms {
  readonly grantedAt: number;
  readonly skewCapMs: number;
  /** How long (ms) the task can go on after the request was abandoned. 0: no task runs. */
  readonly taskMs: number;
}

/** The state of a lease that is granted now. */
export function grantedState(
  { grantedAt, skewCapMs }: Pick<LeaseTerms, "grantedAt" | "skewCapMs">,
  timeoutMs: number,
): LeaseState {
  return { kind: "unanswered", countsAt: grantedAt + skewCapMs, expiresAt: grantedAt + timeoutMs };
}

/** The state after the event; the same object if the event changes nothing. */
export function transition(state: LeaseState, event: LeaseEvent, now: number, terms: LeaseTerms): LeaseState {
  switch (event) {
    case "headers":
      if (!isOpen(state)) return state;
      return { kind: "answered", countedFrom: countedBy(state, now), expiresAt: state.expiresAt };
    case "skewed":
      if (state.kind === "unanswered") return { kind: "late", countedFrom: now, expiresAt: state.expiresAt };
      if (state.kind === "uncounted") {
        return { kind: "lingering", countedFrom: now, freeFrom: state.freeFrom, freeAt: state.freeAt };
      }
      return state.kind === "freed" ? { kind: "done", countedFrom: now } : state;
    case "settle":
      return isOpen(state) ? { kind: "done", countedFrom: countedBy(state, now) } : state;
    case "abandon":
      return isOpen(state) ? abandoned(state, now, terms) : state;
    case "release":
      return state.kind === "unanswered" || state.kind === "late" ? { kind: "done", countedFrom: now } : state;
    case "outlasted":
      return "freeAt" in state ? { ...state, freeFrom: -Infinity } : state;
    case "taskEnded":
      return "freeAt" in state ? { ...state, freeAt: Math.min(state.freeAt, Math.max(now, state.freeFrom)) } : state;
    case "placeFreed":
      if (state.kind === "uncounted") return { kind: "freed", countsAt: state.countsAt };
      return state.kind === "lingering" ? { kind: "done", countedFrom: state.countedFrom } : state;
  }
}

/** True until the lease has ended. */
export function isOpen(state: LeaseState): state is Extract<LeaseState, { readonly expiresAt: number }> {
  return state.kind === "unanswered" || state.kind === "late" || state.kind === "answered";
}

/** True until the windows count the request, or never will. */
export function isUncounted(state: LeaseState): state is Extract<LeaseState, { readonly countsAt: number }> {
  return state.kind === "unanswered" || state.kind === "uncounted" || state.kind === "freed";
}

/** True if the task of an abandoned request might still run. */
export function isTaskRunning(state: LeaseState): boolean {
  return "freeAt" in state && state.freeAt > state.freeFrom;
}

/** True if that task outlasted the instant from which its place could have been free. */
export function hasOutlasted(state: LeaseState): boolean {
  return "freeFrom" in state && state.freeFrom === -Infinity;
}

/** When the windows began to count the request, or will if nothing more is heard. */
export function countsFrom(state: LeaseState): number {
  return isUncounted(state) ? Math.min(state.countsAt, Number.MAX_VALUE) : state.countedFrom;
}

/** The state of a lease that expires at another instant. */
export function extended(state: LeaseState, expiresAt: number): LeaseState {
  return isOpen(state) ? { ...state, expiresAt } : state;
}

/** True until the place of the request is free. */
export function holdsPlace(state: LeaseState): boolean {
  return state.kind !== "done" && state.kind !== "freed";
}

/** The next instant at which something happens by itself; Infinity: never. */
export function nextInstantOf(state: LeaseState): number {
  switch (state.kind) {
    case "unanswered":
      return Math.min(state.countsAt, state.expiresAt);
    case "late":
    case "answered":
      return state.expiresAt;
    case "uncounted":
      return Math.min(state.countsAt, placeInstantOf(state));
    case "lingering":
      return placeInstantOf(state);
    case "freed":
      return state.countsAt;
    case "done":
      return Infinity;
  }
}

/** The next instant at which the place becomes free, or is known to be held by a running task. */
function placeInstantOf({ freeFrom, freeAt }: HeldPlace): number {
  return freeFrom > -Infinity ? freeFrom : freeAt;
}

function countedBy(state: LeaseState, now: number): number {
  return isUncounted(state) ? now : state.countedFrom;
}

function abandoned(
  state: Extract<LeaseState, { readonly expiresAt: number }>,
  now: number,
  { grantedAt, skewCapMs, taskMs }: LeaseTerms,
): LeaseState {
  const freeFrom = now + Math.min(skewCapMs, LONGEST_DELAY_MS);
  const freeAt = Math.max(freeFrom, now + taskMs);
  let countedFrom = now;
  if (state.kind !== "unanswered") countedFrom = state.countedFrom;
  else {
    const countsAt = skewCapMs === Infinity ? Math.max(now, grantedAt + LONGEST_DELAY_MS) : state.countsAt;
    if (countsAt > now) return { kind: "uncounted", countsAt, freeFrom, freeAt };
  }
  return freeAt > now ? { kind: "lingering", countedFrom, freeFrom, freeAt } : { kind: "done", countedFrom };
}
