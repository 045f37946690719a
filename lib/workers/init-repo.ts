/** init-repo: `restic init`, after a probe has found no repository and a person has confirmed. */

import { ConfigError, EXIT, Failure, UsageError } from "../errors.ts";
import { commandWords } from "../restic/backup-args.ts";
import { probeRepository } from "../restic/open.ts";
import { misreadRepository } from "../restic/place.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import type { Flags, FlagValues } from "../run/command.ts";
import { Cancelled, canAsk, Prompt } from "../run/prompt.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { lastSuccessIn } from "../state/repositories.ts";
import { stamp } from "../time/zone.ts";
import { quoteWord } from "../words.ts";

const flags = {
  "dry-run": { type: "boolean", description: "probe and say what would be done; create nothing" },
  yes: { type: "boolean", alias: "y", description: "create a missing repository without asking" },
} as const satisfies Flags;

/** What a person must type in full: a repository in the wrong place goes unnoticed until it is needed. */
const WORD = "init";
/** There is a repository already: nothing to do, and nothing was done. */
const EXISTS = 3;

const facts = {
  dry_run: { type: "switch", help: "--dry-run was given" },
  assume_yes: { type: "switch", help: "--yes was given" },
  confirmed: { type: "switch", help: "a person, or --yes, has confirmed" },
  init_args: { type: "string", help: "further words for restic init" },
  probe_exit_code: {
    type: "exit code",
    nullable: true,
    help: "exit code of the probe; null when a signal ended it",
  },
  repo_existed: {
    type: "choice",
    options: ["ON", "OFF", "unknown"],
    help: "there was a repository already",
  },
} as const satisfies Fields;

type InitRun = Run<FactsOf<typeof facts>>;

export default defineWorker({
  about:
    "Creates the repository with restic init. It is probed first: one that is there is left alone, and where the " +
    "probe finds no answer (a wrong password, a dead network) none is created. On a terminal you type `init` to confirm.",
  flags,
  passThrough: "further words for restic init, after those of RESTIC_INIT_ARGS",
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_INIT_ARGS"],
  exits: [
    ["0", "the repository was created; or it was declined, or only rehearsed"],
    ["1", "restic init failed"],
    ["2", "it is not known whether there is a repository; or there is nobody to ask, and no --yes"],
    ["3", "there is a repository already (0 with --dry-run)"],
  ],
  facts,
  work,
});

type InitFlags = FlagValues<typeof flags>;
type Given = { readonly flags: InitFlags; readonly rest: readonly string[] };

async function work(run: InitRun, { flags, rest }: Given): Promise<Outcome> {
  const words = [...commandWords(run.settings, "RESTIC_INIT_ARGS"), ...rest];
  const restic = new Restic(run);
  run.addFacts({
    dry_run: flags["dry-run"] ? "ON" : "OFF",
    assume_yes: flags.yes ? "ON" : "OFF",
    confirmed: "OFF",
    init_args: words.map(quoteWord).join(" "),
  });
  const misread = misreadRepository(run.context.repository);
  if (misread !== undefined) throw new ConfigError(misread);
  const existed = await probe(run, restic);
  if (existed) return leaveAlone(run, restic, flags["dry-run"]);
  warnOfVanished(run, restic);
  if (flags["dry-run"]) {
    run.log.info(`There is no repository at ${restic.shown}; it would be created (--dry-run).`);
    return { exitCode: EXIT.ok };
  }
  if (!(await isConfirmed(run, restic, flags))) {
    run.log.info("Declined; nothing was created.");
    return { exitCode: EXIT.ok, status: "cancelled" };
  }
  run.facts.confirmed = "ON";
  return create(run, restic, words);
}

/** Is there a repository? Throws a ConfigError when the probe finds no answer. */
async function probe(run: InitRun, restic: Restic): Promise<boolean> {
  const { log, settings, stop, facts } = run;
  log.info(`Probing ${restic.shown}.`);
  const { status, code, message } = await probeRepository(restic.access, settings.env, stop);
  run.throwIfStopping();
  facts.probe_exit_code = code;
  // A password is only ever wrong for a repository that is there; of any other failure nothing is known, or said.
  const isThere = status === "ok" || status === "wrong_password";
  if (isThere || status === "missing") facts.repo_existed = isThere ? "ON" : "OFF";
  if (status !== "ok" && status !== "missing") throw new ConfigError(`Nothing was created. ${message}`);
  return isThere;
}

function leaveAlone(run: Run, restic: Restic, dryRun: boolean): Outcome {
  const said = `There is a repository at ${restic.shown} already, which this password opens. It is left alone.`;
  run.log.warn(said);
  if (!dryRun) run.reasons.push(said);
  return { exitCode: dryRun ? EXIT.ok : EXISTS };
}

/** What runs have worked with may be there still, on a disk that is not mounted. */
function warnOfVanished({ context, log }: Run, { shown }: Restic): void {
  const past = lastSuccessIn(context.logDir, context.mask(shown));
  if (past === undefined) return;
  log.warn(
    `${String(past.job)} worked with a repository at ${shown}, last at ${stamp(past.finished_epoch * 1000, context.zone)}. ` +
      "A new one holds none of its snapshots: if its disk is only not mounted, or RESTIC_REPOSITORY is wrong, mend that instead.",
  );
}

async function isConfirmed(run: Run, restic: Restic, given: InitFlags): Promise<boolean> {
  if (given.yes) return true;
  if (!canAsk()) {
    throw new UsageError(
      "There is no terminal to confirm on. Give --yes if the repository is to be created.",
    );
  }
  const prompt = new Prompt(run);
  prompt.say([
    `There is no repository at ${restic.shown}.`,
    "Without its password nobody can ever read what it will hold: keep it elsewhere, too.",
  ]);
  try {
    return await prompt.ask(
      `Type ${WORD} to create it, anything else to leave it:`,
      (answer) => answer === WORD,
    );
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    run.throwIfStopping();
    return false;
  }
}

async function create(run: Run, restic: Restic, words: readonly string[]): Promise<Outcome> {
  const { exitCode } = await restic.call(["init", ...words]);
  if (exitCode !== EXIT.ok) {
    throw new Failure(`restic init failed (exit ${exitCode}). ${await restic.meaningOf(exitCode)}`, exitCode);
  }
  run.log.info(`The repository ${restic.shown} is created.`);
  return { exitCode };
}
