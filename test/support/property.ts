/**
 * Property tests: checks with many random inputs what must hold for any input.
 *
 *   property("what is split and joined again is the same", (random) => random.text(SIGNS, 20), (text) =>
 *     join(split(text)) === text ? undefined : `got ${join(split(text))}`,
 *   );
 *
 * Every title has a random sequence of its own, so that a test run alone repeats what it did among the others. A
 * failing input is made as small as possible before it is reported. RBH_SEED=N repeats a run.
 */

import { test } from "bun:test";
import { seeded } from "../time/dates.ts";

export const CASES = 100_000;
/** How many failures are reported, and how often a smaller input is tried. */
const TOLD_MOST = 3;
/** Thousands of cases take a busy machine minutes: a mask with ten secrets in all their forms costs some 5 ms. */
const PATIENCE_MS = 240_000;
const SHRINKS_MOST = 2000;

const SEED = seed();

/** One seed for all files of a run, printed once. */
function seed(): number {
  if (process.env.RBH_SEED === undefined) {
    process.env.RBH_SEED = String(Math.floor(Math.random() * 2 ** 31));
    console.log(`The seed of this run's random inputs: RBH_SEED=${process.env.RBH_SEED} repeats them.`);
  }
  return Number(process.env.RBH_SEED);
}

export class Random {
  private readonly next: () => number;

  constructor(title: string) {
    this.next = seeded(SEED ^ Bun.hash.crc32(title));
  }

  /** From 0 up to 1. */
  share(): number {
    return this.next();
  }

  /** A whole number, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** True with this probability, from 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)] as T;
  }

  list<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.int(least, most) }, make);
  }

  /** A concatenation of at most `most` random pieces of a pool. */
  text(pool: readonly string[], most: number, least = 0): string {
    let text = "";
    for (let left = this.int(least, most); left > 0; left--) text += this.pick(pool);
    return text;
  }

  /** Bytes cut into pieces at random places; some of them are empty. */
  *pieces(bytes: Uint8Array, longest: number): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const end = at + this.int(0, longest);
      yield bytes.subarray(at, end);
      at = end;
    }
  }
}

/** Says what is wrong with an input; undefined when the property holds for it. An exception is a failure too. */
type Wrong<T> = (input: T) => string | undefined;

export function property<T>(
  title: string,
  make: (random: Random) => T,
  wrong: Wrong<T>,
  { cases = CASES } = {},
): void {
  test(
    `${cases.toLocaleString("en")} × ${title}`,
    () => {
      const random = new Random(title);
      const safely = guarded(wrong);
      for (let index = 0; index < cases; index++) {
        const input = make(random);
        if (safely(input) === undefined) continue;
        const smallest = shrink(input, (each) => safely(each) !== undefined);
        fail([{ index, input: smallest, wrong: safely(smallest) }]);
      }
    },
    PATIENCE_MS,
  );
}

/** Compares our function with an oracle, another program that is asked about many inputs at once. */
export function agrees<T>(
  title: string,
  make: (random: Random) => T,
  ours: (input: T) => unknown,
  theirs: (inputs: readonly T[]) => Promise<readonly unknown[]>,
  { cases = CASES, batch = CASES, skip = false } = {},
): void {
  test.skipIf(skip)(
    `${cases.toLocaleString("en")} × ${title}`,
    async () => {
      const random = new Random(title);
      for (let from = 0; from < cases; from += batch) {
        const inputs = Array.from({ length: Math.min(batch, cases - from) }, () => make(random));
        const wanted = await theirs(inputs);
        const differing = inputs.flatMap((input, at) => {
          const [got, want] = [JSON.stringify(ours(input)), JSON.stringify(wanted[at])];
          return got === want ? [] : [{ index: from + at, input, got, want }];
        });
        if (differing.length > 0) fail(differing.slice(0, TOLD_MOST), differing.length);
      }
    },
    PATIENCE_MS,
  );
}

function guarded<T>(wrong: Wrong<T>): Wrong<T> {
  return (input) => {
    try {
      return wrong(input);
    } catch (error) {
      return `thrown: ${error instanceof Error ? error.stack : String(error)}`;
    }
  };
}

/** Removes from a text or a list what can be removed, first large pieces, then small ones. */
function shrink<T>(input: T, isWrong: (input: T) => boolean): T {
  if (typeof input !== "string" && !Array.isArray(input)) return input;
  let smallest = input as string | unknown[];
  let tries = SHRINKS_MOST;
  for (let size = smallest.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= smallest.length && tries > 0; tries--) {
      const shorter =
        typeof smallest === "string"
          ? smallest.slice(0, at) + smallest.slice(at + size)
          : [...smallest.slice(0, at), ...smallest.slice(at + size)];
      if (isWrong(shorter as T)) smallest = shorter;
      else at += size;
    }
  }
  return smallest as T;
}

export function fail(found: readonly object[], count = found.length): never {
  const told = found.map((each) => JSON.stringify(each, null, 1)).join("\n");
  throw new Error(
    `${count} of the inputs failed with RBH_SEED=${SEED}. ${count > 1 ? "Some of them" : "It"}: ${told}`,
  );
}

/** Says how two values differ; undefined when they are equal. */
export function differ(got: unknown, want: unknown): string | undefined {
  if (got === want) return undefined;
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  return a === b ? undefined : `got ${a}, not ${b}`;
}

/** Characters with a meaning to one of our parsers, and some without any. */
export const SIGNS = [
  ...[
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "\x1b",
    "'",
    '"',
    "\\",
    "$",
    "`",
    "#",
    ";",
    ":",
    ",",
    ".",
    "=",
    "-",
    "+",
  ],
  ...["*", "?", "/", "%", "@", "!", "&", "|", "<", ">", "(", ")", "[", "]", "{", "}", "~", "^", "_"],
  ...[
    "0",
    "1",
    "7",
    "59",
    "99999999999",
    "a",
    "b",
    "F",
    "Z",
    "ä",
    "€",
    "😀",
    "\ud83d",
    "\u202e",
    "\ufeff",
    "\xa0",
  ],
  ...["toString", "__proto__", "constructor", "null", "://", "\\n", "***", "--"],
];
