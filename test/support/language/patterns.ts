// Turns of phrase that a reader has to translate first. CONTRIBUTING.md explains the rules and gives the replacements.

/** One rule of the language test. */
export interface LanguageRule {
  readonly name: string;
  readonly pattern: RegExp;
  /** The replacement. The message of a failed test shows it. */
  readonly advice: string;
}

/** The rules, each with a global pattern. */
export const LANGUAGE_RULES: readonly LanguageRule[] = [
  {
    name: "person",
    pattern: /\b(?:who|whom|whoever|whose|nobody|somebody|everybody|anybody|him|his)\b/gi,
    advice: 'requests, leases and providers are "it", "which" or "that"; people are "the caller" and "the user"',
  },
  {
    name: "clause as noun",
    pattern:
      /(?:^|[.,;:(] ?|\b(?:of|and|than|by|for|to|from|with|that) )what (?:is|was|it|they|comes?|came|nothing|others?|one|does|did|had|has|were|a|the|each|this|time|happens|stands|waits|runs)\b/gi,
    advice: 'name the thing: "the reservation", not "what is held"',
  },
  {
    name: "is none",
    pattern: /\b(?:is|are) none\b/gi,
    advice: "say invalid, unknown, missing or empty",
  },
  {
    name: "old-fashioned",
    pattern:
      /\b(?:anew|under way|at once|stands?|stood|in vain|lest|hitherto|whither|thereof|therein|wherein|ere|nay|oneself|one's own|in (?:its|one's) turn|comes? to nothing)\b/gi,
    advice: "use the everyday word: again, in flight, immediately, is, without success, so that",
  },
  {
    name: "for as because",
    pattern: /, for (?:a|an|the|it|they|there|some|most|stamps|whoever|what|of|no|one|with)\b/gi,
    advice: 'write "because"',
  },
  {
    name: "fragment",
    pattern: /^(?:Of|From when|Until when|What|Whose|Whom|In how|By how|That)\b/g,
    advice: "start with a noun or a verb in the third person",
  },
  {
    name: "told",
    pattern: /\b(?:told|tells?)\b/gi,
    advice: "write report, emit, return or state",
  },
];
