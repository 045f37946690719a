// Time zones against libc, by way of Python, whose time.tzset() makes one process out of 100,000.

import { parsePosixRule, parseTzif } from "../../lib/time/tzif.ts";
import { loadZone, parseLocal, stamp, type Zone } from "../../lib/time/zone.ts";
import { agrees, differ, property, type Random, SIGNS } from "../support/property.ts";

const PYTHON = `
import os, sys, time
for line in sys.stdin:
    tz, *instants = line.rstrip("\\n").split("\\t")
    os.environ["TZ"] = tz
    time.tzset()
    print(*(time.localtime(int(at)).tm_gmtoff for at in instants))
`;

interface Question {
  readonly tz: string;
  readonly instants: readonly number[];
}

async function offsetsOf(questions: readonly Question[]): Promise<number[][]> {
  const lines = questions.map(({ tz, instants }) => `${[tz, ...instants].join("\t")}\n`);
  const child = Bun.spawn(["python3", "-c", PYTHON], { stdin: new Blob([lines.join("")]) });
  const answers = (await child.stdout.text()).split("\n").slice(0, -1);
  return answers.map((line) => line.split(" ").map(Number));
}

const ourOffsets = ({ tz, instants }: Question) => {
  const zone = loadZone(tz);
  return instants.map((at) => zone.offsetAt(at));
};
const skip = Bun.which("python3") === null;

const two = (number: number) => String(number).padStart(2, "0");
const clock = (random: Random, most: number) => {
  const hours = random.int(0, most);
  const parts = random.pick([
    [],
    [],
    [two(random.int(0, 59))],
    [two(random.int(0, 59)), two(random.int(0, 59))],
  ]);
  return [random.chance(0.5) ? two(hours) : hours, ...parts].join(":");
};
const name = (random: Random) =>
  random.chance(0.3)
    ? `<${random.pick(["+03", "-0330", "A1B", "abc"])}>`
    : random.pick(["CET", "EST", "abc", "LONGNAME"]);

/** Days of the same form for both changes, months apart; their times within a day, or as RFC 8536 lets them run. */
function rule(random: Random): string {
  const standard = `${name(random)}${random.pick(["", "+", "-"])}${clock(random, 12)}`;
  if (random.chance(0.2)) return standard;
  const time = () =>
    random.chance(0.4) ? "" : `/${random.chance(0.2) ? "-" : ""}${clock(random, random.pick([4, 23, 40]))}`;
  const month = (from: number, to: number) =>
    `M${random.int(from, to)}.${random.int(1, 5)}.${random.int(0, 6)}`;
  const days = random.pick([
    [month(2, 5), month(8, 11)],
    [month(8, 11), month(2, 5)],
    [`J${random.int(40, 150)}`, `J${random.int(200, 330)}`],
    [String(random.int(40, 150)), String(random.int(200, 330))],
    [`J${random.int(200, 330)}`, String(random.int(40, 150))],
  ]);
  return `${standard}${name(random)},${days.map((day) => day + time()).join()}`;
}

const FIRST = Date.UTC(1970, 0, 4) / 1000;
const LAST = Date.UTC(2200, 0, 1) / 1000;
const instants = (random: Random) => [random.int(FIRST, LAST), random.int(FIRST, LAST)];

/** Half of the instants lie beside a change, where mistakes are. */
function question(random: Random, tz: string): Question {
  const [any = 0, other = 0] = instants(random);
  const { until } = loadZone(tz).periodAt(any);
  return { tz, instants: [other, ...(until < LAST ? [until - 1, until] : [any])] };
}

agrees(
  "the offsets of a random POSIX rule are libc's",
  (random) => question(random, rule(random)),
  ourOffsets,
  offsetsOf,
  { skip },
);

const ZONES = [
  ...new Bun.Glob(
    "{Europe,America,Asia,Africa,Australia,Pacific,Antarctica,Atlantic,Indian,Etc}/**",
  ).scanSync({ cwd: "/usr/share/zoneinfo" }),
].sort();
agrees(
  "the offsets of any named zone are libc's",
  (random) => question(random, `${random.pick(["", "", ":", "/usr/share/zoneinfo/"])}${random.pick(ZONES)}`),
  ourOffsets,
  offsetsOf,
  { skip: skip || ZONES.length === 0 },
);

function wholePeriods(zone: Zone, at: number): string | undefined {
  const { from, until, offset } = zone.periodAt(at);
  return from <= at && at < until && Math.abs(offset) < 200 * 3600
    ? undefined
    : `${from} to ${until}, offset ${offset}, for ${at}`;
}

property(
  "any TZ is a zone, with a period around every instant",
  (random) => ({
    tz: random.chance(0.5) ? random.text(SIGNS, 8) : spoilt(random, rule(random)),
    at: random.int(FIRST, LAST),
  }),
  ({ tz, at }) => wholePeriods(loadZone(tz), at),
);

/** With one sign more, less, or another. */
function spoilt(random: Random, text: string): string {
  const at = random.int(0, text.length);
  return (
    text.slice(0, at) +
    random.text([...SIGNS, "9", "M", "J", "/", ","], 1) +
    text.slice(at + random.int(0, 1))
  );
}

property(
  "any text is a rule, or none, and is read without delay",
  (random) => random.text([...SIGNS, "M3.5.0", "J60", "CET", ",", "/2", "<+03>"], 12),
  (text) => differ(parsePosixRule(text) === undefined || /^[A-Za-z<]/.test(text), true),
);

const FILES = await Promise.all(
  ZONES.filter((_, at) => at % 40 === 0).map((zone) => Bun.file(`/usr/share/zoneinfo/${zone}`).bytes()),
);
property(
  "a damaged zone file is none, or still answers",
  (random) => {
    const bytes = Uint8Array.from(random.pick(FILES));
    for (let left = random.int(1, 4); left > 0; left--)
      bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
    return {
      bytes: bytes.subarray(0, random.chance(0.3) ? random.int(0, bytes.length) : undefined),
      at: random.int(FIRST, LAST),
    };
  },
  ({ bytes, at }) => differ(typeof (parseTzif(bytes)?.(at).offset ?? 0), "number"),
);

const WALL = [
  "Europe/Amsterdam",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
];
const walls = WALL.map(loadZone);

property(
  "a date that a person writes is the first instant at which the clock shows it",
  (random) => ({ zone: random.int(0, WALL.length - 1), at: random.int(FIRST, LAST) }),
  ({ zone, at }) => {
    const here = walls[zone]!;
    const text = stamp(at * 1000, here);
    const back = (parseLocal(text, here) ?? Number.NaN) / 1000;
    return (
      differ(stamp(back * 1000, here), text) ?? differ(back === at || (back < at && at - back < 7201), true)
    );
  },
);

property(
  "any text is a date that the calendar has, or none",
  (random) => random.text([...SIGNS, "2026", "-", "-02", "-31", "T", "09", ":30", "2026-02-30"], 7),
  (text) => {
    const at = parseLocal(text, walls[0]!);
    const shown = at === undefined ? undefined : stamp(at, walls[0]!).slice(0, 10);
    return shown === undefined || text.includes(shown) ? undefined : `it is ${shown}`;
  },
);
