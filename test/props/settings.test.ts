// Settings as the environment and the files of *_FILE variables give them.
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { misspelt } from "../../lib/config/misspelt.ts";
import { readValueFile, Settings, VALUE_FILE_MOST } from "../../lib/config/settings.ts";
import { variables } from "../../lib/config/variables.ts";
import { Context } from "../../lib/context.ts";
import { ConfigError } from "../../lib/errors.ts";
import { parseDuration } from "../../lib/text.ts";
import { differ, property, type Random, SIGNS } from "../support/property.ts";

const scratch = mkdtempSync(join(tmpdir(), "rbh-settings-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const file = (content: string | Uint8Array): string => {
  const path = join(scratch, "value");
  writeFileSync(path, content);
  return path;
};

/** The settings, and what they have told. */
function settingsOf(env: Record<string, string>) {
  const told: string[] = [];
  return { settings: new Settings(env, (message) => told.push(message)), told };
}

const valueText = (random: Random) =>
  random.text([...SIGNS, "on", "OFF", "Stale", "1", "0", "90", "s", "6h", " "], random.pick([2, 4, 20]));

const numberOf = (text: string) => {
  const digits = /^\s*([0-9]+)\s*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), 2 ** 31);
};
const secondsOf = (text: string) => numberOf(text) ?? parseDuration(text.trim());

property("a count is read from digits alone; of anything else one sentence tells", valueText, (text) => {
  const { settings, told } = settingsOf({ HISTORY_MAX_RUNS: text });
  const wanted = numberOf(text);
  return (
    differ(settings.count("HISTORY_MAX_RUNS"), wanted ?? 1000) ??
    differ(told.length, text === "" || wanted !== undefined ? 0 : 1)
  );
});

property("seconds are a number or a duration; of anything else one sentence tells", valueText, (text) => {
  const { settings, told } = settingsOf({ HOOK_KILL_AFTER: text, HOOK_TIMEOUT: text });
  const wanted = secondsOf(text);
  const got = [
    settings.seconds("HOOK_KILL_AFTER"),
    settings.seconds("HOOK_KILL_AFTER"),
    settings.hookTimeout("pre-backup"),
  ];
  const sentences = text === "" || wanted !== undefined ? 0 : 2;
  return differ(got, [wanted ?? 10, wanted ?? 10, wanted ?? 0]) ?? differ(told.length, sentences);
});

property("a duration is one, or its default; the same of each worker's time-out", valueText, (text) => {
  const { settings, told } = settingsOf({ STOP_TIMEOUT: text, RESTORE_TEST_TIMEOUT: text });
  const wanted = secondsOf(text);
  const got = [settings.seconds("STOP_TIMEOUT"), settings.workTimeout("restore-test")];
  return (
    differ(got, [wanted ?? 8, wanted ?? 0]) ??
    differ(told.length, text === "" || wanted !== undefined ? 0 : 2)
  );
});

property("a choice is one of its options in any case, or its default", valueText, (text) => {
  const { settings, told } = settingsOf({ RESTIC_AUTO_UNLOCK: text, MAILX_ON_ERROR: text });
  const given = text.trim().toUpperCase();
  const [unlock, mail] = [["OFF", "ON", "STALE"].includes(given), ["OFF", "ON"].includes(given)];
  const got = [settings.choice("RESTIC_AUTO_UNLOCK"), settings.flag("MAILX_ON_ERROR")];
  const sentences = text === "" ? 0 : Number(!unlock) + Number(!mail);
  return differ(got, [unlock ? given : "OFF", given === "ON"]) ?? differ(told.length, sentences);
});

property("words are words, or a ConfigError names the variable and not its value", valueText, (text) => {
  const secret = `${text} zq0secret`;
  try {
    settingsOf({ RESTIC_JOB_ARGS: secret }).settings.words("RESTIC_JOB_ARGS");
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) return `thrown: ${error}`;
    return error.message.startsWith("RESTIC_JOB_ARGS: ") && !error.message.includes("zq0")
      ? undefined
      : error.message;
  }
});

property("lines are those that are not blank, as they are", valueText, (text) => {
  const wanted = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const got = settingsOf({ BACKUP_ROOT_DIR: text }).settings.lines("BACKUP_ROOT_DIR");
  return differ(
    got,
    wanted.filter((line) => /\S/.test(line)),
  );
});

const fileText = (random: Random) =>
  random.text([...SIGNS, "\n", "\r\n", "\n# a comment", "rest:https://h/", " "], 12);

property("a value file gives its text without the blanks around it", fileText, (text) => {
  const path = file(text);
  const wanted = text.toWellFormed().trim();
  const { settings } = settingsOf({ MAILX_RCPT_FILE: path });
  return differ(readValueFile("X_FILE", path), wanted) ?? differ(settings.text("MAILX_RCPT"), wanted);
});

property("the repository is its file's first line that is neither blank nor a comment", fileText, (text) => {
  const lines = text.toWellFormed().split("\n");
  const wanted = lines.map((line) => line.trim()).find((line) => line !== "" && line[0] !== "#");
  const env = { RESTIC_REPOSITORY_FILE: file(text), RESTIC_REPOSITORY: "other" };
  try {
    return differ(new Context("backup", { env }).repository, wanted);
  } catch (error) {
    return error instanceof ConfigError && wanted === undefined ? undefined : `thrown: ${error}`;
  }
});

property(
  "bytes that are no text, and files that are too large, are text or a ConfigError",
  (random) => ({
    bytes: Uint8Array.from(random.list(0, 40, () => random.int(0, 255))),
    size: random.chance(0.001) ? random.int(VALUE_FILE_MOST - 2, VALUE_FILE_MOST + 2) : undefined,
  }),
  ({ bytes, size }) => {
    const path = file(size === undefined ? bytes : new Uint8Array(size).fill(97));
    try {
      const text = readValueFile("X_FILE", path);
      return differ(text.isWellFormed() && (size ?? 0) <= VALUE_FILE_MOST, true);
    } catch (error) {
      return error instanceof ConfigError && (size ?? 0) > VALUE_FILE_MOST ? undefined : `thrown: ${error}`;
    }
  },
  { cases: 20_000 },
);

const NAMES = Object.keys(variables).filter((name) => !name.includes("<"));
const known = new Set([...NAMES, "HOOK_TIMEOUT_PRE_BACKUP", "BACKUP_TIMEOUT"]);

property(
  "any names of variables can be looked at, and a known one is never misspelt",
  (random) => random.list(0, 2, () => spoilt(random, random.pick([...NAMES, random.text(SIGNS, 4)]))),
  (names) => {
    const found = misspelt(Object.fromEntries(names.map((name) => [name, "x"])), known);
    return found.every(({ name }) => names.includes(name) && !known.has(name))
      ? undefined
      : JSON.stringify(found);
  },
  { cases: 20_000 },
);

/** With a letter left out, doubled or exchanged; or as it is. */
function spoilt(random: Random, name: string): string {
  const at = random.int(0, name.length);
  return random.pick([
    name,
    name.slice(0, at) + name.slice(at + 1),
    name.slice(0, at) + name.slice(at - 1),
    `${name}_`,
  ]);
}
