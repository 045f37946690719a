/** check: `restic check`, with RESTIC_CHECK_ARGS, and what it found (in JSON since 0.18, before in plain text only). */

import { EXIT } from "../errors.ts";
import { commandWords } from "../restic/backup-args.ts";
import { parseTrouble, REPOSITORY_EXITS, RESTIC } from "../restic/messages.ts";
import { callRestic, RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { plural } from "../text.ts";

const facts = {
  num_errors: { type: "count", help: "errors that restic found" },
  broken_packs_count: { type: "count", help: "damaged pack files" },
  broken_packs: { type: "strings", help: "the first of them" },
  suggest_repair_index: { type: "boolean", help: "restic advises running restic repair index" },
  suggest_prune: { type: "boolean", help: "restic advises running prune" },
} as const satisfies Fields;

type CheckFacts = FactsOf<typeof facts>;

export default defineWorker({
  about: "Checks the repository for errors with restic, with the words of RESTIC_CHECK_ARGS.",
  flags: {},
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_RETRY_LOCK", "RESTIC_CHECK_ARGS"],
  exits: [
    ["0", "restic found no errors"],
    ["1", "the repository has errors, or restic failed"],
    ...REPOSITORY_EXITS,
  ],
  facts,
  subject: ({ repository }) => repository,
  work,
});

async function work(run: Run<CheckFacts>): Promise<Outcome> {
  const words = commandWords(run.settings, "RESTIC_CHECK_ARGS");
  const restic = new Restic(run);
  run.log.info(`Checking ${restic.shown}.`);
  let summary: CheckSummary | undefined;
  let isDamaged = false;
  const look = (text: string | undefined) => {
    isDamaged ||= saysDamage(text ?? "");
    return false;
  };
  // restic before 0.18 knows --json but prints plain words all the same.
  return callRestic(run, restic, ["check", "--json", ...words], {
    onMessage: (message) => {
      if (message.message_type === "error") return look(message.message);
      if (message.message_type !== "summary") return false;
      summary = message as CheckSummary;
      return true;
    },
    onWords: look,
    onEnd: (end) => {
      if (end.trouble !== undefined && !isDamaged && !summary?.broken_packs?.length) {
        run.fail("The check did not come to its end, and nothing is known of damage to the repository.");
      } else if (summary !== undefined) conclude(run, summary, end.exitCode);
      else if (isDamaged && end.exitCode === RESTIC.failed)
        run.reasons.push(`The repository is damaged. ${DAMAGED}`);
    },
  });
}

const DAMAGED =
  'Run neither prune nor forget, and follow "Troubleshooting" in restic\'s manual; the log names what is damaged.';

/** Words that restic has for what is wrong in the repository itself (its internal/checker; seen with 0.14, 0.18 and 0.19). */
const DAMAGE =
  /does not exist|ciphertext verification|(?:hash|checksum|size|length) (?:mismatch|does not match)|unexpected (?:hash|pack|size)|wrong (?:hash|size|length)|not (?:found in|contained in|referenced)|invalid data|unable to decode|error for tree|damaged/i;

/** A line about a call that failed for the link's sake may name what it was to load, and does not report damage. */
const saysDamage = (line: string): boolean => DAMAGE.test(line) && parseTrouble(line) === undefined;

/**
 * A repository that could not be opened or locked counts as one error in restic's summary, and so does each pack that a
 * broken link kept from being read: those are neither errors of the repository nor facts about it.
 */
function conclude(run: Run<CheckFacts>, summary: CheckSummary, exitCode: number): void {
  if (exitCode !== EXIT.ok && exitCode !== RESTIC.failed) return;
  run.addFacts(checkFacts(summary));
  const verdict = `restic | ${checkVerdict(summary)}`;
  if (exitCode === EXIT.ok) run.log.info(verdict);
  else run.fail(verdict, `The check did not pass: ${checkVerdict(summary)}. ${DAMAGED}`);
  for (const advice of checkAdvice(summary)) run.log.warn(advice);
}

/** The last message of `restic check --json`, of the type `summary`: since 0.18. Older ones print words only. */
export interface CheckSummary {
  readonly num_errors?: number;
  /** null when there are none. */
  readonly broken_packs?: readonly string[] | null;
  readonly suggest_repair_index?: boolean;
  readonly suggest_prune?: boolean;
}

/** Packs that are named in the record; the others are counted. */
const NAMED_MOST = 20;

/** The facts of the record, by restic's own names. */
export function checkFacts(summary: CheckSummary): CheckFacts {
  const { num_errors = 0, suggest_repair_index = false, suggest_prune = false } = summary;
  const broken = summary.broken_packs ?? [];
  return {
    num_errors,
    broken_packs_count: broken.length,
    broken_packs: broken.slice(0, NAMED_MOST),
    suggest_repair_index,
    suggest_prune,
  };
}

/** `no errors were found`, `2 errors were found; 1 pack is damaged`. */
export function checkVerdict({ num_errors = 0, broken_packs }: CheckSummary): string {
  if (num_errors === 0) return "no errors were found";
  const errors = `${plural(num_errors, "error was", "errors were")} found`;
  const packs = broken_packs?.length ?? 0;
  if (packs === 0) return errors;
  return `${errors}; ${plural(packs, "pack is", "packs are")} damaged`;
}

/** What restic advises; in JSON it tells neither in words when the repository has no errors. */
export function checkAdvice({ suggest_repair_index, suggest_prune }: CheckSummary): string[] {
  return [
    ...(suggest_repair_index ? ["restic advises running `restic repair index`."] : []),
    ...(suggest_prune ? ["restic advises running prune: the repository holds data that nothing needs."] : []),
  ];
}
