// Canary files: what was written is read again, whatever the names; and what sha256sum itself writes.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOf, isCanary, parseCanary, parseCanaryFile } from "../../lib/restore-test/canary.ts";
import { differ, property, Random, SIGNS } from "../support/property.ts";

const DIGITS = [..."0123456789abcdef"];
const sum = (random: Random) => random.text(DIGITS, 64, 64);

/** Bytes of a name, as text of one character each; none of them ends the name or the line. */
const NAME = [
  ..." =#*'\"\\$;:ab0.~-",
  "\xff",
  "\xc3\xa4",
  "\xa0",
  "\t",
  "\x1b",
  "\r",
  "..x",
  "x=".padEnd(66, "0"),
];

/** An absolute path without parts that mean another one. */
function path(random: Random, signs: readonly string[] = NAME): string {
  const parts = random.list(1, 3, () => {
    const part = random.text(signs, 8, 1);
    return part === "." || part === ".." ? "x" : part;
  });
  return `/${parts.join("/")}`;
}

interface Line {
  readonly text: string;
  readonly canary?: { path: string; sha256: string };
}

function line(random: Random): Line {
  const kind = random.int(0, 4);
  if (kind === 0) {
    return {
      text: random.pick(["", "  ", "# a comment", `\t#${random.text(NAME, 9)}`, "#/a=".padEnd(68, "0")]),
    };
  }
  const sha256 = sum(random);
  const shown = random.chance(0.2) ? sha256.toUpperCase() : sha256;
  const before = random.text([" ", "\t"], random.chance(0.2) ? 2 : 0);
  if (kind < 3) {
    const plain = path(random);
    const after = random.text([" ", "\t"], random.chance(0.2) ? 2 : 0);
    return { text: `${before}${plain}=${after}${shown}${after}`, canary: { path: plain, sha256 } };
  }
  // As sha256sum writes it: where the name holds a backslash or a newline, it says so in front and writes \\ and \n.
  const name = path(random, [...NAME, "\n"]).replace(/\r$/, "\rx");
  const isOdd = /[\n\\]/.test(name);
  const escaped = isOdd ? name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n") : name;
  const text = `${before}${isOdd ? "\\" : ""}${shown} ${random.pick([" ", "*"])}${escaped}`;
  return { text, canary: { path: name, sha256 } };
}

property(
  "the canaries that were written are read again, byte for byte",
  (random) => ({ lines: random.list(0, 4, () => line(random)), end: random.pick(["\n", "\r\n"]) }),
  ({ lines, end }) => {
    const { canaries, complaints } = parseCanaryFile(lines.map(({ text }) => text + end).join(""));
    const got = canaries.map((each) => ({ path: each.path.toString("latin1"), sha256: each.sha256 }));
    return differ(
      { got, complaints },
      { got: lines.flatMap(({ canary }) => (canary === undefined ? [] : [canary])), complaints: [] },
    );
  },
);

property(
  "a line is a whole canary or a complaint that quotes it on one line",
  (random) => bytesOf(random.text([...SIGNS, "/a", "=", "/", "..", "0".repeat(64), "f".repeat(63)], 12)),
  (text) => {
    const parsed = parseCanary(text);
    if (!isCanary(parsed)) return /^".*" .*\.$/.test(parsed.complaint) ? undefined : parsed.complaint;
    const parts = parsed.path.toString("latin1").split("/").slice(1);
    const odd = parts.some((part) => part === "" || part === "." || part === "..");
    return differ({ odd, sum: /^[0-9a-f]{64}$/.test(parsed.sha256) }, { odd: false, sum: true });
  },
);

property(
  "of any file each line is a canary, a complaint with its number, or a comment",
  (random) => bytesOf(random.text([...SIGNS, "\n", "\n", "#", "/a=", "0".repeat(64)], 30)),
  (text) => {
    const { canaries, complaints } = parseCanaryFile(text);
    const content = text.split("\n").filter((each) => !/^\s*(#|$)/.test(each)).length;
    const numbers = complaints.map((each) => Number(/^Line (\d+): /.exec(each)?.[1]));
    return (
      differ(canaries.length + complaints.length, content) ??
      differ(
        numbers.every((each) => each > 0),
        true,
      )
    );
  },
);

const scratch = mkdtempSync(join(tmpdir(), "rbh-canary-"));
afterAll(() => rmSync(scratch, { recursive: true }));

test.skipIf(Bun.which("sha256sum") === null)("2,000 odd names as sha256sum itself lists them", async () => {
  const random = new Random("sha256sum");
  // A CR at the end of a name cannot be told from one that ends the line.
  const names = new Set(
    random.list(
      2000,
      2000,
      () => `${random.text([...NAME, "\n"], 3, 1)}${random.text(NAME.slice(0, -1), 9, 1)}x`,
    ),
  );
  const paths = [...names].map((name) => Buffer.from(`${scratch}/${name}`, "latin1"));
  for (const each of paths) writeFileSync(each, each);
  // The names are bytes: Bun's own arguments are text.
  const list = Buffer.concat(paths.map((each) => Buffer.concat([each, Buffer.alloc(1)])));
  const child = Bun.spawn(["xargs", "-0", "sha256sum"], { stdin: list });
  const listed = Buffer.from(await child.stdout.bytes()).toString("latin1");
  const { canaries, complaints } = parseCanaryFile(listed);
  const wanted = paths.map((each) => ({
    path: each.toString("latin1"),
    sha256: new Bun.CryptoHasher("sha256").update(each).digest("hex"),
  }));
  expect(complaints).toEqual([]);
  expect(canaries.map(({ path, sha256 }) => ({ path: path.toString("latin1"), sha256 }))).toEqual(wanted);
});
