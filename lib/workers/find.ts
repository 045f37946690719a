/** find: in which snapshots a file is. Reads only: no lock of ours, no hooks, no record. */

import { EXIT, UsageError } from "../errors.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { literal } from "../restic/restore-tree.ts";
import { type Found, findFiles } from "../restic/search.ts";
import { filterOf, filterText, readId, snapshotFlags } from "../restic/snapshots.ts";
import type { Command, Invocation } from "../run/command.ts";
import { runReadOnly } from "../run/life.ts";
import { Prompt } from "../run/prompt.ts";
import { formatBytes, plural, tableLines } from "../text.ts";
import { localZone, stamp, type Zone } from "../time/zone.ts";
import { quoteWord } from "../words.ts";

const flags = {
  id: { type: "string", valueHint: "ID", description: "look only into this snapshot" },
  tag: snapshotFlags.tag,
  host: snapshotFlags.host,
  "ignore-case": { type: "boolean", alias: "i", description: "A matches a, too" },
  all: { type: "boolean", description: "show all that match, not only the newest hundred" },
} as const;

/** Rows that are shown unless --all is given. */
const SHOWN_MOST = 100;

const command: Command<typeof flags> = {
  about:
    "Shows in which snapshots a file or folder is: a row for each snapshot that holds it, the newest first, with its size " +
    "and when it was changed last. A pattern is a name such as report.odt or *.odt, or a path such as " +
    "/data/photos/*.jpg; quote it from the shell. A folder's path shows what is in it, too.",
  flags,
  operands: {
    usage: "<pattern>",
    help: "a name or a path, with *, ? and [] as in a shell",
    least: 1,
    most: 1,
  },
  environment: [
    ...RESTIC_ENVIRONMENT,
    "RESTIC_TAG",
    "LOCK_DIR",
    "LOG_DIR",
    "STOP_TIMEOUT",
    "WORK_KILL_AFTER",
    "HOSTNAME",
    "TZ",
    "NO_COLOR",
  ],
  exits: [
    ["0", "it was found"],
    ["1", "nothing matches, or restic failed"],
    ["2", "the command line or the configuration is wrong"],
    ...REPOSITORY_EXITS,
    ["126, 127", "restic cannot be executed, or is missing"],
    ["128+n", "signal n stopped it"],
  ],
  main,
};
export default command;

async function main({ operands, flags: given }: Invocation<typeof flags>): Promise<number> {
  const pattern = readPattern(operands[0] ?? "");
  const id = readId(given.id);
  return runReadOnly("find", async (run) => {
    const filter = id === undefined ? filterOf(given, run) : { tag: "", host: "" };
    const restic = new Restic(run, { canReadUnlocked: true });
    const found = await findFiles(restic, { pattern, id, filter, ignoreCase: given["ignore-case"] });
    const prompt = new Prompt(run);
    if (found.length === 0) {
      const where = id === undefined ? `no snapshot ${filterText(filter)}`.trimEnd() : `not snapshot ${id}`;
      run.log.error(nothingText(pattern, where, id === undefined));
      return EXIT.failed;
    }
    prompt.say(foundLines(found, given.all ? found.length : SHOWN_MOST, localZone()));
    return EXIT.ok;
  });
}

function readPattern(text: string): string {
  if (text.trim() === "") throw new UsageError("find needs a name or a path, not an empty word.");
  // restic matches no path that ends in a slash.
  return text.length > 1 ? text.replace(/\/+$/, "") || "/" : text;
}

function nothingText(pattern: string, where: string, isNarrowed: boolean): string {
  const wider = isNarrowed ? ' --tag "" and --host "" look into the snapshots of all hosts and tags.' : "";
  return (
    `Nothing matches ${pattern}: ${where} holds it. Give the whole path or the whole name as it was backed up, ` +
    `or a pattern such as *${pattern.replaceAll(/.*\/|\*/g, "")}*.${wider}`
  );
}

/** A table with a heading, and the command that brings the first of them back. Pure. */
export function foundLines(found: readonly Found[], most: number, zone: Zone): string[] {
  const shown = found.slice(0, most);
  const rows = shown.map((each) => [
    each.snapshot.slice(0, 8),
    each.madeAt === undefined ? "-" : stamp(each.madeAt, zone),
    each.type !== "file" || each.size === undefined ? "-" : formatBytes(each.size),
    Number.isNaN(each.changedAt) ? "-" : stamp(each.changedAt, zone),
    each.path,
  ]);
  const more = found.length - shown.length;
  const [first] = shown;
  return [
    ...tableLines([["SNAPSHOT", "TIME", "SIZE", "CHANGED", "PATH"], ...rows]),
    ...(more > 0 ? [`${plural(more, "older one is", "older ones are")} not shown; --all shows them.`] : []),
    ...(first === undefined
      ? []
      : [
          `To bring the first back: restore --id ${first.snapshot.slice(0, 8)} --include ${quoteWord(literal(first.path))}`,
        ]),
  ];
}
