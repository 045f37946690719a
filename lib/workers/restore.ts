/** restore: `restic restore`, controlled by flags or by questions at a terminal; rehearsed first, if that is wanted. */

import { ConfigError, EXIT } from "../errors.ts";
import { heldPath } from "../files/tree.ts";
import { REPOSITORY_EXITS, RESTIC } from "../restic/messages.ts";
import { pathsNotKept } from "../restic/nodes.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import {
  literal,
  needDryRun,
  needOverwriting,
  noDryRun,
  patternText,
  type RestoreWords,
  restoreTree,
} from "../restic/restore-tree.ts";
import {
  chooseSnapshot,
  describeSnapshot,
  type Filter,
  filterOf,
  listSnapshots,
  matches,
  type Snapshot,
  shortId,
  snapshotFacts,
  snapshotTable,
} from "../restic/snapshots.ts";
import { askInclude, askSnapshot, askTarget, OFFERED } from "../restore/prompts.ts";
import {
  giveTo,
  holdTarget,
  ownerText,
  type RestoreFlags,
  type RestorePlan,
  readRestorePlan,
  restoreFlags,
  TargetGuard,
} from "../restore/restore-plan.ts";
import { runReadOnly } from "../run/life.ts";
import { Cancelled, canAsk, Prompt } from "../run/prompt.ts";
import type { Outcome, Run } from "../run/run.ts";
import { namedPlaces, nameSilent } from "../run/target.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { amountText, formatBytes, formatDuration, plural } from "../text.ts";
import { localZone } from "../time/zone.ts";

const facts = {
  ...snapshotFacts,
  target: { type: "string", help: "the directory that was restored into" },
  dry_run: { type: "switch", help: "nothing was written" },
  files_restored: { type: "count", help: "files and folders that were restored, or would be" },
  bytes_restored: { type: "count", help: "bytes that were restored, or would be" },
  include_zero_match: { type: "switch", help: "no --include matched anything" },
  owner: { type: "string", help: "the user and group that were to own what was restored" },
  cancelled: { type: "switch", help: "the person at the terminal cancelled" },
  elapsed_human: { type: "string", help: "how long it took, for people" },
  tag_filter: { type: "string", help: "only snapshots with this tag; empty for any" },
  host_filter: { type: "string", help: "only snapshots of this host; empty for any" },
  owner_changed: { type: "switch", help: "the owner was given what was restored" },
} as const satisfies Fields;

type RestoreRun = Run<FactsOf<typeof facts>>;

const worker = defineWorker({
  about:
    "Restores a snapshot, or part of one, into a directory, or with --in-place back to where it was: files that are " +
    "there now are replaced, those that were made since stay. On a terminal it asks which snapshot, what of it, which directory, " +
    "whether to rehearse first and whether to proceed, unless flags answer that or --yes is given.",
  flags: restoreFlags,
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_TAG", "BACKUP_ROOT_DIR", "TMPDIR"],
  exits: [
    ["0", "everything that was asked for is restored (or listed, or rehearsed)"],
    ["1", "restic failed, or no snapshot matches"],
    ["3", "no --include matched anything"],
    ...REPOSITORY_EXITS,
    ["130", "the person at the terminal cancelled"],
  ],
  check: ({ flags }) => {
    readRestorePlan(flags, localZone());
  },
  facts,
  subject: ({ files_restored, bytes_restored, dry_run, target }) =>
    amountText({ files: files_restored, bytes: bytes_restored, dry_run, target }),
  work,
});

export default {
  ...worker,
  main: (invocation: Parameters<typeof worker.main>[0]) =>
    invocation.flags.list ? list(invocation.flags) : worker.main(invocation),
};

async function work(run: RestoreRun, { flags }: { readonly flags: RestoreFlags }): Promise<Outcome> {
  const { tag, host } = filterOf(flags, run);
  run.addFacts({ cancelled: "OFF", tag_filter: tag, host_filter: host });
  const beganMs = Date.now();
  try {
    return await restore(run, flags, canAsk() && !flags.yes ? new Prompt(run) : undefined);
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    run.log.info("Cancelled; nothing was restored.");
    run.facts.cancelled = "ON";
    return { exitCode: EXIT.cancelled, status: "cancelled" };
  } finally {
    run.facts.elapsed_human = formatDuration((Date.now() - beganMs) / 1000);
  }
}

/** `prompt` is undefined when nobody can be asked, or nothing is to be asked. */
async function restore(run: RestoreRun, flags: RestoreFlags, prompt: Prompt | undefined): Promise<Outcome> {
  const plan = readRestorePlan(flags, localZone());
  const restic = new Restic(run, { canReadUnlocked: true });
  const guard = new TargetGuard(run, plan, flags.force);
  const asksTarget = prompt !== undefined && flags.target === undefined && !plan.inPlace;
  if (!plan.inPlace) {
    await nameSilent(run.log, [...namedPlaces(run.settings), plan.target]);
    if (!asksTarget) guard.check(plan.target);
  }
  if (plan.inPlace && !plan.dryRun && prompt === undefined && !flags.yes) {
    throw new ConfigError(
      "--in-place replaces files as they are now, and there is no terminal to ask on. Give --yes if you mean it.",
    );
  }
  if (plan.dryRun) await needDryRun(run);
  else if (plan.inPlace) await needOverwriting(run);

  const asksSnapshot = prompt !== undefined && plan.id === undefined && plan.since === undefined;
  const snapshot = await decideSnapshot(run, restic, plan, flags, asksSnapshot ? prompt : undefined);
  run.facts.snapshot = run.facts.snapshot_id = shortId(snapshot);
  // Who has named both snapshot and target by flags has said what is to be restored.
  const asksWhat = plan.include.length === 0 && (asksSnapshot || asksTarget);
  const include = asksWhat && prompt !== undefined ? await askInclude(prompt) : plan.include;
  const target = asksTarget
    ? await askTarget(prompt, plan.target, async (each) => {
        await nameSilent(run.log, [each]);
        return guard.judgeTarget(each);
      })
    : plan.target;
  run.facts.target = target;
  const chosen = { ...plan, include, target };
  const words = plan.inPlace
    ? await wordsInPlace(run, chosen, snapshot, guard, restic)
    : { ...chosen, snapshot: snapshot.id };
  if (!plan.inPlace) guard.check(target);
  await guard.checkRoom(restic, snapshot, { ...words, target: words.within?.[0] ?? target });

  const pass = (dryRun: boolean, at = target) =>
    performRestore(run, restic, snapshot, { ...words, dryRun, ...(at === target ? {} : { at }) });
  if (plan.dryRun) {
    if (!plan.inPlace) guard.warn(target);
    return pass(true);
  }
  if (prompt !== undefined) {
    if (await wantsRehearsal(run, prompt)) {
      const outcome = await pass(true);
      if (outcome.exitCode !== EXIT.ok) return outcome;
      run.addFacts({ dry_run: "OFF", files_restored: 0, bytes_restored: 0 });
    }
    const what = `${patternText(words)} of snapshot ${shortId(snapshot)}`;
    const question = plan.inPlace
      ? `Replace what is there now by ${what}?`
      : `Restore ${what} to ${target} now?`;
    if (!(await prompt.confirm(question))) throw new Cancelled();
  }
  if (plan.inPlace) run.log.warn("Restoring over the files that are there now (--in-place).");
  else guard.warn(target);
  if (plan.owner === undefined) return pass(false);
  const folder = await holdTarget(guard, target);
  try {
    const outcome = await pass(false, heldPath(folder));
    if (outcome.exitCode === EXIT.ok) {
      run.facts.owner = ownerText(plan.owner);
      run.facts.owner_changed = (await giveTo(run, plan.owner, folder, target)) ? "ON" : "OFF";
    }
    return outcome;
  } finally {
    await folder.close();
  }
}

/** A restore of the snapshot's own paths to where they were; of a part of them when something is included. */
async function wordsInPlace(
  run: Run,
  plan: RestorePlan,
  snapshot: Snapshot,
  guard: TargetGuard,
  restic: Restic,
): Promise<RestoreWords> {
  const paths = (snapshot.paths ?? []).filter((path) => path.startsWith("/"));
  if (paths.length === 0) {
    throw new ConfigError(
      `Snapshot ${shortId(snapshot)} has no absolute paths, so there is nowhere to put its files back to. ` +
        "Give --target.",
    );
  }
  const unkept = await pathsNotKept(restic, snapshot.id, paths);
  if (unkept.length > 0) {
    throw new ConfigError(
      `Snapshot ${shortId(snapshot)} was made of relative paths: it holds nothing under ${unkept.join(", ")}, and ` +
        "--in-place would put its files elsewhere. Give --target, and copy the files from there.",
    );
  }
  await nameSilent(run.log, paths);
  guard.checkInPlace(paths);
  const include = plan.include.length > 0 ? plan.include : paths.map(literal);
  return { ...plan, include, snapshot: snapshot.id, within: paths };
}

async function decideSnapshot(
  run: Run,
  restic: Restic,
  plan: RestorePlan,
  flags: RestoreFlags,
  prompt: Prompt | undefined,
): Promise<Snapshot> {
  const filter = filterOf(flags, run);
  const snapshots = await listSnapshots(restic);
  const chosen = chooseSnapshot(snapshots, { ...plan, filter }, localZone());
  if (prompt === undefined) return chosen;
  return askSnapshot(prompt, newest(snapshots, filter, flags.all), localZone());
}

async function wantsRehearsal(run: Run, prompt: Prompt): Promise<boolean> {
  const why = await noDryRun(run);
  if (why === undefined) return prompt.confirm("Rehearse it first, without writing anything?");
  prompt.say([why]);
  return false;
}

/** The snapshots that match, newest first. */
function newest(snapshots: readonly Snapshot[], filter: Filter, all: boolean): Snapshot[] {
  const matching = snapshots.filter((snapshot) => matches(snapshot, filter)).reverse();
  return all ? matching : matching.slice(0, OFFERED);
}

/** --list changes nothing, so it needs neither the lock nor the hooks of a run. */
function list(flags: RestoreFlags): Promise<number> {
  return runReadOnly("restore", async (run) => {
    const filter = filterOf(flags, run);
    const snapshots = await listSnapshots(new Restic(run, { canReadUnlocked: true }));
    const shown = newest(snapshots, filter, flags.all);
    // Throws, with its message, when no snapshot matches.
    if (shown.length === 0) chooseSnapshot(snapshots, { filter }, localZone());
    const more = newest(snapshots, filter, true).length - shown.length;
    const rest = more > 0 ? [`${more} older ones are not shown; --all shows them.`] : [];
    new Prompt(run).say([...snapshotTable(shown, localZone()), ...rest]);
    return EXIT.ok;
  });
}

/** One pass of restic over a snapshot, rehearsed or in earnest: what is logged, and what is recorded. */
async function performRestore(
  run: RestoreRun,
  restic: Restic,
  snapshot: Snapshot,
  words: RestoreWords,
): Promise<Outcome> {
  const { log } = run;
  const { target, include, dryRun = false, verify = false } = words;
  log.info(
    `${dryRun ? "Rehearsing the restore of" : "Restoring"} snapshot ${describeSnapshot(snapshot, localZone())} ` +
      `to ${target}: ${patternText(words)}.`,
  );
  run.addFacts({ dry_run: dryRun ? "ON" : "OFF", files_restored: 0, bytes_restored: 0 });
  const { exitCode, files, bytes, skipped } = await restoreTree(run, restic, words);
  run.addFacts({ files_restored: files, bytes_restored: bytes });
  if (exitCode !== EXIT.ok) {
    await restic.afterFailure("restore", exitCode);
    return { exitCode };
  }
  const nothing = include.length > 0 && files + skipped === 0;
  run.facts.include_zero_match = nothing ? "ON" : "OFF";
  if (nothing) {
    run.fail(
      `Nothing in the snapshot matches --include ${include.join(", ")}, so nothing was restored. A pattern is a ` +
        "path as `restic ls` shows it, such as /data/photos, or a name such as *.txt.",
    );
    return { exitCode: RESTIC.incomplete };
  }
  const amount = `${plural(files, "file or folder", "files and folders")}, ${formatBytes(bytes)}`;
  const present =
    skipped === 0 ? "" : ` ${plural(skipped, "file is", "files are")} there already, unchanged.`;
  if (dryRun) log.info(`Nothing was written; the restore would write ${amount}.${present}`);
  else log.info(`Restored ${amount}, to ${target}${verify ? ", and verified them" : ""}.${present}`);
  return { exitCode };
}
