/** cron-list: the crontab, or what entry would write, with the next times of each line. */

import { Context } from "../context.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { readIfThere } from "../files/files.ts";
import { complain, print } from "../log/stdout.ts";
import type { Command } from "../run/command.ts";
import { CronError, nextTimes, parseCron } from "../schedule/cron.ts";
import {
  CRON_VARIABLES,
  crontabPath,
  readCrontabLine,
  readPlaces,
  renderCrontab,
} from "../schedule/schedule.ts";
import { plural, singleLine } from "../text.ts";
import { stamp, type Zone } from "../time/zone.ts";

const command: Command = {
  about:
    "Shows the time zone, the time, and the crontab line by line, each with the next three times at which crond " +
    "will start it. Before entry has written a crontab, shows the one that it would write.",
  flags: {},
  environment: ["CRONTAB_DIR", ...CRON_VARIABLES, "LOG_DIR", "LOCK_DIR", "TZ"],
  exits: [
    ["0", "every line will be started"],
    ["1", "a line cannot be read by crond, or its time never comes"],
    ["2", "the command line is wrong, or an expression that entry would refuse"],
  ],
  main: async () => {
    const { settings, zone } = new Context("cron-list", {
      onOddValue: (message) => complain(`cron-list: ${message}`),
    });
    const path = crontabPath(settings);
    const written = readCrontab(path);
    const crontab = written ?? renderCrontab(settings, readPlaces(settings));
    const now = Date.now();
    const lines = crontab.split("\n").filter((line) => readCrontabLine(line) !== undefined);
    const entries = lines.map((line) => describeLine(line, now, zone));
    const source = written === undefined ? `${path} is not written yet; entry would write` : path;
    const head = [
      `Time zone  ${zone.name}${zone.known ? "" : " (unknown: UTC is used)"}`,
      `Now        ${stamp(now, zone)}`,
      `Crontab    ${source}, ${plural(lines.length, "job")}`,
    ];
    print(`${[head.join("\n"), ...entries.map(({ text }) => text)].join("\n\n")}\n`);
    return entries.every(({ comes }) => comes) ? EXIT.ok : EXIT.failed;
  },
};
export default command;

/** undefined when there is no crontab. Throws a Failure when it cannot be read: it is private to its owner. */
function readCrontab(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    throw new Failure(
      `The crontab ${path} cannot be read: ${reasonOf(error)}. Run cron-list as its owner.`,
      EXIT.failed,
    );
  }
}

const TIMES = 3;

/** A line of the crontab with its next times, and whether one ever comes. Pure. */
export function describeLine(line: string, nowMs: number, zone: Zone): { text: string; comes: boolean } {
  const { times, problem, notes } = findTimes(line, nowMs, zone);
  const said = problem ?? times.map((at) => stamp(at * 1000, zone)).join(", ");
  const hints = notes.map((note) => `\n  note  ${singleLine(note)}`).join("");
  return {
    text: `${singleLine(line)}\n  next  ${singleLine(said) || "never: there is no such day"}${hints}`,
    comes: times.length > 0,
  };
}

function findTimes(line: string, nowMs: number, zone: Zone) {
  const expression = readCrontabLine(line)?.expression ?? "";
  try {
    const cron = parseCron(expression);
    const times = nextTimes(cron, Math.floor(nowMs / 1000), zone, TIMES);
    return { times, problem: undefined, notes: cron.notes };
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    return { times: [], problem: `crond cannot read it: ${error.message}.`, notes: [] };
  }
}
