// Life of a lease.
//
//   state        headers    skewed      settle   abandon                     release   placeFreed
//   unanswered   answered   late        done     uncounted lingering done    done
//   late         answered               done     lingering done              done
//   answered     answered               done     lingering done
//   uncounted               lingering                                                  freed
//   lingering                                                                          done
//   freed                   done
//   done
//
//   headers:    the response headers have arrived
//   skewed:     the instant has come from which the request counts though no headers arrived: grant + skewCapMs
//   settle:     an answer has ended
//   abandon:    the request ended without an answer (timeout, cancelled, expired)
//   release:    the request was never sent
//   placeFreed: the instant has come at which the place of an abandoned request is free
//
// Regimes: windows count the request from the first of headers, skewed, and settle on. An abandoned request may still be
// on its way or in work: its place is freed min(skewCapMs, 1 s) after its end, and it counts from grant + skewCapMs on, or,
// if that is endless, from the later of its end and grant + 1 s. Instants of counting never go back.
// An empty cell: the event cannot happen in that state, or changes nothing there.

/** Longest delay (ms) after which an abandoned request is expected to arrive. */
const LONGEST_DELAY_MS = 1_000;

export type LeaseState =
  /** Open; the windows do not count it before `countsAt`. */
  | { readonly kind: "unanswered"; readonly countsAt: number; readonly expiresAt: number }
  /** Open, counted; no headers have arrived. */
  | { readonly kind: "late"; readonly countedFrom: number; readonly expiresAt: number }
  /** Open, counted since its headers. */
  | { readonly kind: "answered"; readonly countedFrom: number; readonly expiresAt: number }
  /** Ended; neither counted yet nor free. */
  | { readonly kind: "uncounted"; readonly countsAt: number; readonly freeAt: number }
  /** Ended, counted; its place is still taken. */
  | { readonly kind: "lingering"; readonly countedFrom: number; readonly freeAt: number }
  /** Ended, its place is free; not counted yet. */
  | { readonly kind: "freed"; readonly countsAt: number }
  /** Nothing of it is left. */
  | { readonly kind: "done"; readonly countedFrom: number };

export type LeaseStateKind = LeaseState["kind"];

export type LeaseEvent = "headers" | "skewed" | "settle" | "abandon" | "release" | "placeFreed";

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
  uncounted: { skewed: ["lingering"], placeFreed: ["freed"] },
  lingering: { placeFreed: ["done"] },
  freed: { skewed: ["done"] },
  done: {},
};

/** The terms of a grant. */
export interface LeaseTerms {
  readonly grantedAt: number;
  readonly skewCapMs: number;
}

/** The state of a lease that is granted now. */
export function grantedState({ grantedAt, skewCapMs }: LeaseTerms, timeoutMs: number): LeaseState {
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
      if (state.kind === "uncounted") return { kind: "lingering", countedFrom: now, freeAt: state.freeAt };
      return state.kind === "freed" ? { kind: "done", countedFrom: now } : state;
    case "settle":
      return isOpen(state) ? { kind: "done", countedFrom: countedBy(state, now) } : state;
    case "abandon":
      return isOpen(state) ? abandoned(state, now, terms) : state;
    case "release":
      return state.kind === "unanswered" || state.kind === "late" ? { kind: "done", countedFrom: now } : state;
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
      return Math.min(state.countsAt, state.freeAt);
    case "lingering":
      return state.freeAt;
    case "freed":
      return state.countsAt;
    case "done":
      return Infinity;
  }
}

function countedBy(state: LeaseState, now: number): number {
  return isUncounted(state) ? now : state.countedFrom;
}

function abandoned(
  state: Extract<LeaseState, { readonly expiresAt: number }>,
  now: number,
  { grantedAt, skewCapMs }: LeaseTerms,
): LeaseState {
  const freeAt = now + Math.min(skewCapMs, LONGEST_DELAY_MS);
  let countedFrom = now;
  if (state.kind !== "unanswered") countedFrom = state.countedFrom;
  else {
    const countsAt = skewCapMs === Infinity ? Math.max(now, grantedAt + LONGEST_DELAY_MS) : state.countsAt;
    if (countsAt > now) return { kind: "uncounted", countsAt, freeAt };
  }
  return freeAt > now ? { kind: "lingering", countedFrom, freeAt } : { kind: "done", countedFrom };
}
