// What programs print as JSON: whatever it holds, it never throws, and what is made of it is of the type it should be.

import { parseLine } from "../../lib/rclone/stats.ts";
import { judgeLock, lockIds, parseLock } from "../../lib/restic/evidence.ts";
import {
  codeOfWords,
  type ErrorMessage,
  errorText,
  normalizeExit,
  parseMessage,
  type StatusMessage,
  skippedSource,
} from "../../lib/restic/messages.ts";
import { parseNode, permissionsOf } from "../../lib/restic/nodes.ts";
import { formatBar, formatStatus, percentOf } from "../../lib/restic/progress.ts";
import { parseJobName } from "../../lib/state/history.ts";
import { parseRecord } from "../../lib/state/record.ts";
import { formatHistory, lastRuns } from "../../lib/status/overview.ts";
import { loadZone } from "../../lib/time/zone.ts";
import { type CheckSummary, checkAdvice, checkFacts, checkVerdict } from "../../lib/workers/check.ts";
import { differ, property, Random, SIGNS } from "../support/property.ts";

const FIELDS = [
  "message_type",
  "struct_type",
  "percent_done",
  "seconds_remaining",
  "total_files",
  "files_done",
  "total_bytes",
]
  .concat([
    "bytes_done",
    "snapshot_id",
    "error",
    "message",
    "during",
    "item",
    "code",
    "action",
    "num_errors",
    "Err",
  ])
  .concat([
    "broken_packs",
    "suggest_prune",
    "level",
    "msg",
    "object",
    "stats",
    "eta",
    "bytes",
    "path",
    "mode",
    "type",
  ])
  .concat([
    "time",
    "hostname",
    "pid",
    "exclusive",
    "job",
    "status",
    "exit_code",
    "started_epoch",
    "finished_epoch",
  ])
  .concat(["hooks", "duration_seconds", "data_added_bytes", "timed_out"]);
const TYPES = ["status", "summary", "error", "exit_error", "verbose_status", "node", "toString"];
const ATOMS = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  1e300,
  2 ** 53,
  1_778_484_600,
  "",
  "x",
  "/data/x",
  [],
  {},
  "2026-05-11T09:30:00Z",
  "2",
];

/** Made once: most of what they are for is that they stand where they should not. */
const VALUES = new Random("values of JSON")
  .list(3000, 3000, () => "")
  .map((_, at) => json(new Random(`value ${at}`)));

function json(random: Random, depth = 0): unknown {
  if (depth > 2 || random.chance(0.6)) return random.chance(0.3) ? random.text(SIGNS, 6) : random.pick(ATOMS);
  if (random.chance(0.3)) return random.list(0, 3, () => json(random, depth + 1));
  return Object.fromEntries(random.list(0, 4, () => [random.pick(FIELDS), json(random, depth + 1)]));
}

const message = (random: Random): Record<string, unknown> => {
  const made: Record<string, unknown> = {};
  for (let left = random.int(0, 8); left > 0; left--) made[random.pick(FIELDS)] = random.pick(VALUES);
  return made;
};

/** JSON of ours, whole or damaged, or words. */
function line(random: Random): string {
  const type = random.pick(TYPES);
  const text = JSON.stringify({ message_type: type, struct_type: type, msg: "", ...message(random) });
  if (random.chance(0.6)) return text;
  if (random.chance(0.2)) return random.text(SIGNS, 20);
  const at = random.int(0, text.length);
  return text.slice(0, at) + random.text(SIGNS, 2) + text.slice(at + random.int(0, 9));
}

const isText = (value: unknown) => typeof value === "string";
const broken = (name: string, value: unknown) => `${name}: ${JSON.stringify(value)}`;

property("a line of restic is a message whose fields are of their types, or words", line, (text) => {
  skippedSource(text);
  normalizeExit(1, codeOfWords(text));
  const parsed = parseMessage(text);
  if (parsed === undefined) return undefined;
  const status = parsed as StatusMessage;
  const said = errorText(parsed as unknown as ErrorMessage);
  if (!isText(said) || ("item" in parsed && parsed.item && said.includes("\n")))
    return broken("errorText", said);
  const percent = percentOf(status);
  if (!(percent >= 0 && percent <= 100)) return broken("percentOf", percent);
  const texts = [formatStatus(status, 5), formatBar(status, { rate: 5, columns: 80, colour: false })];
  if (texts.some((each) => /NaN|undefined|object/.test(each))) return broken("shown", texts);
  const summary = parsed as unknown as CheckSummary;
  const facts = checkFacts(summary);
  checkAdvice(summary);
  return isText(checkVerdict(summary)) && Array.isArray(facts.broken_packs)
    ? undefined
    : broken("facts", facts);
});

property("a line of rclone is text, and its numbers are numbers", line, (text) => {
  const { text: shown, stats } = parseLine(text);
  if (!isText(shown) || (shown.includes("native code") && !text.includes("native")))
    return broken("text", shown);
  const { eta, ...numbers } = stats ?? { eta: null };
  const wrong = Object.values(numbers).filter((each) => typeof each !== "number");
  return wrong.length === 0 && (eta === null || typeof eta === "number") ? undefined : broken("stats", stats);
});

property("a line of `restic ls` is a node or none", line, (text) => {
  const node = parseNode(text);
  return node === undefined || (isText(node.path) && permissionsOf(node) >= 0)
    ? undefined
    : broken("permissions", node);
});

const here = {
  hostname: "x",
  nowMs: 1_778_484_700_000,
  dead: [],
  inspect: () => ({ state: "gone" }) as const,
};

property("an answer about locks is locks or none", line, (text) => {
  lockIds(text);
  const lock = parseLock(text);
  if (lock === undefined) return undefined;
  const { why } = judgeLock(lock, here);
  return isText(lock.hostname) && isText(lock.username) && !why.includes("undefined")
    ? undefined
    : broken("why", why);
});

const zone = loadZone("Europe/Amsterdam");

/** A record, of which some fields are what they should not be. */
function record(random: Random): string {
  if (random.chance(0.2)) return line(random);
  const sound = {
    job: "backup",
    status: "ok",
    exit_code: 0,
    started_epoch: 1_778_484_600,
    finished_epoch: 1_778_484_700,
  };
  return JSON.stringify({ ...sound, ...message(random) });
}

property("a line of the history is a run or none, and a table can be drawn of any", record, (text) => {
  const run = parseRecord(text);
  const job = parseJobName(text);
  if (run !== undefined && !(isText(run.status) && Number.isFinite(run.exit_code))) return broken("run", run);
  const drawn = formatHistory(lastRuns([text, text, ""], undefined), zone);
  return differ(job === undefined || isText(job), true) ?? (/undefined|NaN/.test(drawn) ? drawn : undefined);
});
