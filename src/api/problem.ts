/** One thing that was wrong in a call: where, what is allowed there, and what was given. */
export interface Problem {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}
