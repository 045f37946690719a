// Cron expressions against a reading of our own of crond's manual, and against the plain walk over every minute of a
// calendar that `date` has written. What the real crond makes of expressions: test/cron/busybox.test.ts.
import { expect, test } from "bun:test";
import { type Cron, CronError, nextTimes, parseCron } from "../../lib/schedule/cron.ts";
import { readCrontabLine } from "../../lib/schedule/schedule.ts";
import { loadZone } from "../../lib/time/zone.ts";
import { CASES, differ, fail, property, Random, SIGNS } from "../support/property.ts";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** Of each field: its values, and where crond begins to count them. */
const FIELDS = [
  { from: 0, to: 59, first: 0, names: [] },
  { from: 0, to: 23, first: 0, names: [] },
  { from: 1, to: 31, first: 0, names: [] },
  { from: 1, to: 12, first: 1, names: MONTHS },
  { from: 0, to: 6, first: 0, names: WEEKDAYS },
] as const;
type Field = (typeof FIELDS)[number];

/** A value as it is written, and as its index. */
function value(random: Random, { from, to, first, names }: Field): [string, number] {
  const number = random.int(from, to);
  const name = names[number - first];
  if (name === undefined || random.chance(0.6))
    return [`${random.chance(0.1) ? "0" : ""}${number}`, number - first];
  const letters = [...name].map((letter) => (random.chance(0.3) ? letter.toUpperCase() : letter));
  return [letters.join(""), number - first];
}

/** A field as it is written, and the indices that it means. */
function field(random: Random, of: Field): [string, Set<number>] {
  const size = of.to - of.first + 1;
  const meant = new Set<number>();
  if (random.chance(0.35)) return ["*", new Set(Array.from({ length: size }, (_, index) => index))];
  const items = random.list(1, random.chance(0.2) ? 4 : 1, () => {
    const [text, begin] = value(random, of);
    const [last, end] = value(random, of);
    const step = random.chance(0.4) ? random.int(1, random.chance(0.2) ? 90 : 12) : 1;
    const kind = random.int(0, 2);
    const [low, high] = kind === 0 ? [0, size - 1] : kind === 1 ? [begin, begin] : [begin, end];
    for (let at = low, gone = 0; ; at = (at + 1) % size, gone++) {
      if (gone % step === 0) meant.add(at);
      if (at === high) break;
    }
    return `${["*", text, `${text}-${last}`][kind]}${step > 1 || random.chance(0.05) ? `/${step}` : ""}`;
  });
  return [items.join(), meant];
}

interface Expression {
  readonly text: string;
  readonly meant: readonly Set<number>[];
}

function expression(random: Random): Expression {
  const fields = FIELDS.map((each) => field(random, each));
  const blank = () => random.text([" ", "\t"], random.chance(0.1) ? 3 : 1, 1);
  const text = fields.map(([each]) => each).reduce((all, each) => `${all}${blank()}${each}`);
  const meant = fields.map(([, each]) => each);
  // A day field that leaves nothing out gives way to the one that does; crond counts a day 0, too.
  const [byDay, byWeekday] = [meant[2]!.size < 32, meant[4]!.size < 7];
  if (byDay && !byWeekday) meant[4]!.clear();
  if (byWeekday && !byDay) meant[2]!.clear();
  return { text: `${random.chance(0.1) ? "  " : ""}${text}`, meant };
}

const setsOf = ({ minutes, hours, days, months, weekdays }: Cron) =>
  [minutes, hours, days, months, weekdays].map((each) => each.flatMap((is, index) => (is ? [index] : [])));
const listed = (sets: readonly Set<number>[]) => sets.map((each) => [...each].sort((a, b) => a - b));

property("an expression means what its fields mean", expression, ({ text, meant }) => {
  const cron = parseCron(text);
  return differ(setsOf(cron), listed(meant)) ?? differ(parseCron(cron.text), cron);
});

property(
  "a crontab's line gives back its expression and its command",
  (random) => ({ ...expression(random), command: `/bin/${random.text([..."ab *#%=\t"], 9)}x` }),
  ({ text, command }) => differ(readCrontabLine(`${text} ${command}`), { expression: text.trim(), command }),
);

const words = [
  ...SIGNS,
  ...MONTHS,
  ...WEEKDAYS,
  "*",
  "*",
  "/",
  "-",
  ",",
  "@daily",
  "@reboot",
  " ",
  " ",
  "5",
  "0 0 1 1",
];
property(
  "any text is refused in words, or means to itself what it meant before",
  (random) => (random.chance(0.5) ? random.text(words, 14) : spoilt(random, expression(random).text)),
  (text) => {
    readCrontabLine(text);
    try {
      const cron = parseCron(text);
      return differ(parseCron(cron.text), cron);
    } catch (error) {
      return error instanceof CronError && /\S/.test(error.message) ? undefined : `thrown: ${error}`;
    }
  },
);

/** With one sign more, less, or another. */
function spoilt(random: Random, text: string): string {
  const at = random.int(0, text.length);
  return text.slice(0, at) + random.text(words, 1) + text.slice(at + random.int(0, 1));
}

/** Three days of minutes around a change of the clock, as columns that a plain walk can look into. */
interface Calendar {
  readonly tz: string;
  readonly start: number;
  /** Minute, hour, day, month and weekday of each minute, one after the other. */
  readonly fields: Uint8Array;
}

const MINUTES = 3 * 1440;

async function calendarsOf(tz: string, starts: readonly number[]): Promise<Calendar[]> {
  const instants = starts.flatMap((start) =>
    Array.from({ length: MINUTES }, (_, at) => `@${start + at * 60}\n`),
  );
  const child = Bun.spawn(["date", "-f", "-", "+%M %H %d %m %w"], {
    env: { ...process.env, TZ: tz },
    stdin: new Blob([instants.join("")]),
  });
  const fields = Uint8Array.from((await child.stdout.text()).trimEnd().split(/\s/), Number);
  return starts.map((start, at) => ({
    tz,
    start,
    fields: fields.subarray(at * MINUTES * 5, (at + 1) * MINUTES * 5),
  }));
}

/** Every minute, with nothing clever about it. */
function walk({ start, fields }: Calendar, from: number, meant: readonly Set<number>[]): number[] {
  const [minutes, hours, days, months, weekdays] = meant.map((each) => {
    const is = new Uint8Array(60);
    for (const index of each) is[index] = 1;
    return is;
  }) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const found: number[] = [];
  for (let at = from; at < MINUTES; at++) {
    const to = at * 5;
    if (minutes[fields[to]!] === 0 || hours[fields[to + 1]!] === 0 || months[fields[to + 3]! - 1] === 0)
      continue;
    if (days[fields[to + 2]!] === 1 || weekdays[fields[to + 4]!] === 1) found.push(start + at * 60);
  }
  return found;
}

/** Changes by an hour, by half of one and by twenty minutes; at midnight, to the day before, of a whole day. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  "Europe/Amsterdam": ["2026-03-29", "2026-10-25", "2027-03-28", "2024-02-29", "2026-12-31"],
  "America/New_York": ["2026-03-08", "2026-11-01"],
  "America/St_Johns": ["2010-03-14", "2010-11-07"],
  "America/Sao_Paulo": ["2018-11-04", "2018-02-18"],
  "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
  "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
  "Asia/Tehran": ["2021-03-22", "2021-09-22"],
  "Asia/Kolkata": ["2026-01-01"],
  "Pacific/Apia": ["2011-12-30", "2012-04-01"],
  "Antarctica/Troll": ["2026-03-29", "2026-10-25"],
  "CET-1CEST,M3.5.0,M10.5.0/3": ["2026-03-29", "2026-10-25"],
  "<-02>2<-01>,M3.5.0/-1,M10.5.0/0": ["2026-03-29", "2026-10-25"],
};
const noDate = Bun.which("date") === null;

test.skipIf(noDate)(
  `${CASES.toLocaleString("en")} × the next times are those of a walk over every minute`,
  async () => {
    const calendars = await Promise.all(
      Object.entries(CHANGES).map(([tz, days]) =>
        calendarsOf(
          tz,
          days.map((day) => Date.parse(`${day}T00:00Z`) / 1000 - 86_400),
        ),
      ),
    );
    expect(new Set(calendars.flat().map(({ fields }) => fields.length))).toEqual(new Set([MINUTES * 5]));
    const zones = new Map(Object.keys(CHANGES).map((tz) => [tz, loadZone(tz)]));
    checkNext(calendars.flat(), (tz) => zones.get(tz)!);
  },
);

function checkNext(
  calendars: readonly Calendar[],
  zoneOf: (tz: string) => ReturnType<typeof loadZone>,
): void {
  const random = new Random("next times");
  for (let index = 0; index < CASES; index++) {
    const calendar = random.pick(calendars);
    const { text, meant } = expression(random);
    const from = random.int(1, MINUTES - 1);
    const after = calendar.start + from * 60 - random.int(1, 60);
    const end = calendar.start + MINUTES * 60;
    const most = 5;
    const found = nextTimes(parseCron(text), after, zoneOf(calendar.tz), most);
    const wanted = walk(calendar, from, meant).slice(0, most);
    const wrong = differ(
      found.filter((at) => at < end),
      wanted,
    );
    if (wrong !== undefined) fail([{ index, input: { tz: calendar.tz, text, after }, wrong }]);
  }
}
