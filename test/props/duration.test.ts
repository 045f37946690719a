// Durations and sizes against plain readings of what they mean.
import { formatBytes, formatDuration, formatPart, formatShort, parseDuration } from "../../lib/text.ts";
import { differ, property, type Random, SIGNS } from "../support/property.ts";

const UNITS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };
const MOST = 2n ** 31n - 1n;

/** Letter by letter, with nothing clever about it. */
function read(text: string): number | undefined {
  if (/^[0-9]+$/.test(text)) return BigInt(text) <= MOST ? Number(text) : undefined;
  let total = 0n;
  let digits = "";
  let left = ["d", "h", "m", "s"];
  for (const letter of text) {
    if (letter >= "0" && letter <= "9") digits += letter;
    else if (digits === "" || !left.includes(letter)) return undefined;
    else {
      total += BigInt(digits) * BigInt(UNITS[letter]!);
      left = left.slice(left.indexOf(letter) + 1);
      digits = "";
    }
  }
  return text === "" || digits !== "" || total > MOST ? undefined : Number(total);
}

property(
  "a text is a duration to us when it is one to a plain reader",
  (random) =>
    random.text(
      random.chance(0.1) ? SIGNS : [..."0123456789dhmsdhms", "2147483647", "2147483648", "24855"],
      10,
    ),
  (text) => differ(parseDuration(text), read(text)),
);

const seconds = (random: Random) => random.int(0, random.pick([100, 5000, 100_000, 10 ** 7, 2 ** 31 - 1]));

property("a duration is read as it was written, rounded down to its smaller unit", seconds, (given) => {
  const text = formatDuration(given);
  const unit = given < 3600 ? 1 : given < 86_400 ? 60 : 3600;
  return differ(parseDuration(text), given - (given % unit)) ?? differ(/^(\d+[dhms]){1,2}$/.test(text), true);
});

property(
  "whatever number is given, a duration is text that can be read",
  (random) => random.pick([random.int(-10, 10) / 3, random.int(0, 2 ** 31) / 7, Number.NaN, -Infinity, 1e-9]),
  (number) =>
    differ(parseDuration(formatDuration(number)) === undefined, false) ??
    differ(/^(\d\.\ds|(\d+[dhms]){1,2})$/.test(formatShort(number)), true),
);

/** Exactly, in whole numbers: as many thousandths as are nearest, a tie to the even one. */
function exactly(bytes: bigint): string {
  const power = [40n, 30n, 20n, 10n].find((each) => bytes >= 1n << each);
  if (power === undefined) return `${bytes} B`;
  const whole = 1n << power;
  const [floor, rest] = [(bytes * 1000n) / whole, ((bytes * 1000n) % whole) * 2n];
  const up = rest > whole || (rest === whole && floor % 2n === 1n);
  const digits = String(floor + (up ? 1n : 0n)).padStart(4, "0");
  return `${digits.slice(0, -3)}.${digits.slice(-3)} ${["KiB", "MiB", "GiB", "TiB"][Number(power) / 10 - 1]}`;
}

/** Sizes of every order; every other one lies near the border of a unit, or on a tie. */
function size(random: Random): number {
  const power = 2 ** random.int(0, 52);
  if (random.chance(0.5)) return Math.floor(power * (1 + random.int(0, 999_999) / 1e6));
  const away = random.int(-3, 3) * random.pick([1, power / 16, power / 2048, power / 2000]);
  return Math.max(0, Math.trunc(power + away));
}

property("a size is the exact one, rounded as Go rounds", size, (bytes) =>
  differ(formatBytes(bytes), exactly(BigInt(bytes))),
);

property(
  "a part stands in the unit of its whole and is as wide",
  (random) => ({ whole: size(random), share: random.int(0, 1000) / 1000 }),
  ({ whole, share }) => {
    const text = formatPart(Math.floor(whole * share), whole);
    const [part = "", rest] = text.split(" of ");
    const number = formatBytes(whole).split(" ")[0] ?? "";
    return (
      differ(rest, formatBytes(whole)) ??
      differ(part.length, number.length) ??
      differ(Number(part) <= Number(number), true)
    );
  },
);
