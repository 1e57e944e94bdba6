// A fixed piece of work, for comparison where no other engine is installed: it looks a name up and makes an object, as every
// engine must do. `reference`.
import { answerLines } from "./answer-lines.ts";

interface Made {
  readonly name: string;
  readonly value: number;
  readonly parts: { readonly a: number; readonly b: number };
}

await answerLines(() => {
  const names = Array.from({ length: 1_024 }, (_, i) => `p${i}`);
  const values = new Map(names.map((name, i) => [name, i]));
  let made: Made[] = [];
  let next = 0;
  return (count) => {
    let check = 0;
    made = [];
    for (let i = 0; i < count; i++) {
      // A stride, so that the next name is not the neighbour in memory.
      next = (next + 389) & 1_023;
      const name = names[next]!;
      const value = values.get(name)!;
      // Kept for a while, so that the compiler cannot remove the object.
      made[i & 1_023] = { name, value, parts: { a: value, b: i } };
      check += value + made[(i + 1) & 1_023 & i]!.value;
    }
    return check;
  };
});
