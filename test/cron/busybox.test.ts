// The oracle: a real busybox crond, which at log level 0 prints what it made of each field it could read.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCron } from "../../lib/schedule/cron.ts";
import { seeded } from "../time/dates.ts";

const NAMES = ["minutes", "hours", "days", "months", "weekdays"] as const;
/** crond reads a crontab only when root owns it. */
const canRun = process.getuid?.() === 0 && Bun.which("busybox") !== null;

/** For each expression five lines: the bits of a field, or crond's complaint about it. */
async function crondFields(expressions: readonly string[]): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), "crond-"));
  mkdirSync(join(folder, "tabs"));
  writeFileSync(join(folder, "tabs", "root"), expressions.map((text) => `${text} true\n`).join(""), {
    mode: 0o600,
  });
  const log = join(folder, "log");
  const crond = Bun.spawn(["busybox", "crond", "-f", "-l", "0", "-L", log, "-c", join(folder, "tabs")]);
  const isField = (line: string) => /^[01]+$/.test(line) || line.includes("parse error");
  let lines: string[] = [];
  try {
    // Until all has been read: each look waits a little, and ten seconds are the bound.
    for (let look = 0; look < 1000 && lines.length < expressions.length * NAMES.length; look += 1) {
      await Bun.sleep(10);
      lines = (existsSync(log) ? readFileSync(log, "utf8") : "").split("\n").slice(0, -1).filter(isField);
    }
  } finally {
    crond.kill("SIGKILL");
    await crond.exited;
    rmSync(folder, { recursive: true });
  }
  return expressions.map((_, index) => lines.slice(index * NAMES.length, (index + 1) * NAMES.length));
}

/** crond's last step, which it does not print: the day field without a limit drops out when the other has one. */
function dropUnlimited([minutes, hours, days = "", months, weekdays = ""]: string[]): (string | undefined)[] {
  const [byDay, byWeekday] = [days.includes("0"), weekdays.includes("0")];
  return [
    minutes,
    hours,
    byWeekday && !byDay ? "0".repeat(32) : days,
    months,
    byDay && !byWeekday ? "0".repeat(7) : weekdays,
  ];
}

function randomExpression(random: () => number): string {
  const pick = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const field = (from: number, to: number, names?: readonly string[]) => {
    const value = () => (names && random() < 0.4 ? names[pick(0, names.length - 1)] : String(pick(from, to)));
    const item = () => {
      const range = random() < 0.3 ? "*" : random() < 0.6 ? value() : `${value()}-${value()}`;
      return random() < 0.4 ? `${range}/${pick(1, 40)}` : range;
    };
    return Array.from({ length: pick(1, 3) }, item).join();
  };
  const months = ["jan", "Feb", "MAR", "apr", "dec"];
  const fields = [
    field(0, 59),
    field(0, 23),
    field(1, 31),
    field(1, 12, months),
    field(0, 6, ["sun", "Wed", "SAT"]),
  ];
  return fields.join(" ");
}

test.skipIf(!canRun)("2,000 random expressions mean to crond what they mean to us", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seeded(seed);
  const expressions = Array.from({ length: 2000 }, () => randomExpression(random));
  const wanted = await crondFields(expressions);
  const wrong = expressions.flatMap((text, index) => {
    const cron = parseCron(text);
    const got = NAMES.map((name) => cron[name].map(Number).join(""));
    const crond = dropUnlimited(wanted[index]!);
    return got.join() === crond.join() ? [] : [{ text, got, crond }];
  });
  expect({ seed, wrong: wrong.slice(0, 3) }).toEqual({ seed, wrong: [] });
});

test.skipIf(!canRun)("what crond cannot read, 7 for Sunday included, we refuse", async () => {
  const expressions = [
    "60 * * * *",
    "1-2-3 * * * *",
    "0 24 * * *",
    "0 0 32 * *",
    "0 0 * 13 *",
    "0 0 * * 7",
    "0 0 * * 5-7",
  ];
  for (const fields of await crondFields(expressions)) {
    expect(fields.filter((line) => line.includes("parse error")).length).toBe(1);
  }
  for (const text of expressions) expect(() => parseCron(text)).toThrow();
});
