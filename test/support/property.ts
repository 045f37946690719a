/**
 * Properties: what holds for any input is tried with many random ones.
 *
 *   property("what is split and joined again is the same", (random) => random.text(SIGNS, 20), (text) =>
 *     join(split(text)) === text ? undefined : `got ${join(split(text))}`,
 *   );
 *
 * Every title draws from a sequence of its own, so that a single test repeats what it did among the others. A failure
 * is made as small as it gets before it is told. RBH_SEED=N repeats a run.
 */

import { test } from "bun:test";
import { seeded } from "../time/dates.ts";

export const CASES = 100_000;
/** Failures that are told, and how often a smaller one is looked for. */
const TOLD_MOST = 3;
/** As long as `make test` gives every test: a hundred thousand cases take a busy machine more than five seconds. */
const PATIENCE_MS = 60_000;
const SHRINKS_MOST = 2000;

const SEED = seed();

/** One for all files of a run, told once. */
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

  /** True in so many of all cases; 0.5 for half of them. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)] as T;
  }

  list<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.int(least, most) }, make);
  }

  /** Pieces of a pool, at most so many, one after the other. */
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

/** What is wrong with an input, in words; undefined when the property holds for it. What it throws is wrong, too. */
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

/** Ours against an oracle that is asked for many inputs at once, since it is another program. */
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

/** Leaves out of a text or a list what may be left out, first large pieces, then small ones. */
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

/** Says where two values differ; undefined when they are the same. */
export function differ(got: unknown, want: unknown): string | undefined {
  if (got === want) return undefined;
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  return a === b ? undefined : `got ${a}, not ${b}`;
}

/** Signs that mean something to one of our parsers, and some that mean nothing to any. */
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
