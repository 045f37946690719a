// Text on its way to people: control characters, lines in pieces, the ends of files, words before each line.
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastLines } from "../../lib/files/tail.ts";
import { prefixLines } from "../../lib/log/stdout.ts";
import { createMask } from "../../lib/mask.ts";
import { SafeLines } from "../../lib/process/pump.ts";
import { visible } from "../../lib/text.ts";
import { differ, property, type Random, SIGNS } from "../support/property.ts";

/** Any character: control characters of each sort, what changes the direction of text, halves of characters. */
function characters(random: Random): string {
  let text = "";
  for (let left = random.int(0, 20); left > 0; left--) {
    const code = random.chance(0.5) ? random.int(0, 0xa1) : random.int(0, 0xffff);
    text += random.chance(0.2) ? random.pick(SIGNS) : String.fromCharCode(code);
  }
  return text;
}

/** By Unicode's own table, but for tab and newline: controls, line and paragraph separators, marks of direction. */
const HARMFUL = /(?![\t\n])(\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}|\ufeff)/u;

property("no control character comes through, and what is shown is shown once", characters, (text) => {
  const shown = visible(text);
  const harmful = HARMFUL.exec(shown)?.[0];
  return harmful === undefined ? differ(visible(shown), shown) : `U+${harmful.charCodeAt(0).toString(16)}`;
});

property(
  "text without them stays as it is",
  (random) => characters(random).replaceAll(new RegExp(HARMFUL, "gu"), ""),
  (text) => differ(visible(text), text),
);

const bytes = (text: string) => new TextEncoder().encode(text);
const mask = createMask({});

property(
  "any bytes in any pieces are lines of valid text, all of it and nothing else",
  (random) => {
    const given = random.chance(0.5)
      ? bytes(characters(random))
      : Uint8Array.from(
          random.list(0, 30, () => random.pick([10, 13, 65, 0xc3, 0xa4, 0xe2, 0x82, 0xff, 0xf0, 0x9f])),
        );
    return [...random.pieces(given, random.pick([1, 3, 40]))];
  },
  (pieces) => {
    const lines = new SafeLines(mask);
    const got = pieces.map((each) => lines.push(each)).join("") + lines.end();
    const text = new TextDecoder().decode(Buffer.concat(pieces));
    const end = text === "" || text.endsWith("\n") ? "" : "\n";
    return HARMFUL.test(got) ? "a control character came through" : differ(got, visible(mask(text + end)));
  },
);

property(
  "each line gets its prefix, whatever it holds",
  (random) => ({
    head: random.text(SIGNS, 3),
    lines: random.list(0, 5, () => `${random.text(SIGNS, 9).replaceAll("\n", "")}\n`),
  }),
  ({ head, lines }) => {
    const got = prefixLines(head.replaceAll("\n", ""), lines.join(""));
    return differ(
      got.toString(),
      lines.map((line) => head.replaceAll("\n", "").toWellFormed() + line.toWellFormed()).join(""),
    );
  },
);

const scratch = mkdtempSync(join(tmpdir(), "rbh-tail-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The end of a text, with nothing clever about it. `mostBytes` may cut the first line in half: it is left out. */
function naiveTail(text: string, most: number, mostBytes: number): string[] {
  const all = Buffer.from(text);
  const end = all.subarray(Math.max(0, all.length - mostBytes)).toString();
  const lines = end.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (all.length > mostBytes) lines.shift();
  return lines.slice(-most);
}

function tail(title: string, cases: number, make: (random: Random) => string): void {
  property(
    title,
    (random) => ({
      text: make(random),
      most: random.int(1, 6),
      mostBytes: random.pick([random.int(1, 40), 70_000, 2 ** 20]),
    }),
    ({ text, most, mostBytes }) => {
      const path = join(scratch, "file");
      writeFileSync(path, text);
      const found = lastLines(path, most, mostBytes);
      return differ(found, { lines: naiveTail(text, most, mostBytes), size: Buffer.byteLength(text) });
    },
    { cases },
  );
}

tail("the last lines of a file", 100_000, (random) =>
  random.text(["\n", "\n", "a", "bc", "ä", "😀", " ", "\r"], 20),
);
tail("the same of a file of several reads", 500, (random) =>
  random.text(["\n", "ä".repeat(9000), `${"x".repeat(30_000)}\n`, "\n\n", "b\n".repeat(900)], 20),
);
