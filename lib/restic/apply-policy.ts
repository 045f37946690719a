/**
 * Retention: which policy is applied to which snapshots, by `restic forget --json`, and when it is withheld. It never
 * removes the snapshot that the run has just made, nor, unless the operator says so, the last one of a group.
 */

import { readdirSync, statSync } from "node:fs";
import { ConfigError, EXIT } from "../errors.ts";
import { exitOfStopped, type Run } from "../run/run.ts";
import { lastFields } from "../state/record.ts";
import { plural } from "../text.ts";
import { localZone } from "../time/zone.ts";
import {
  emptied,
  type ForgetGroup,
  GroupsOutput,
  groupText,
  removedText,
  sortedGroups,
  tally,
  tallyText,
} from "./forget-groups.ts";
import { readScope, type Scope } from "./forget-scope.ts";
import type { Message } from "./messages.ts";
import { type Policy, readPolicy, tooNewText } from "./policy.ts";
import { PlainCounters } from "./progress.ts";
import { lockWaitOf, type Restic } from "./restic.ts";
import type { RetentionRun } from "./retention.ts";
import { describeSnapshot, epochOf, filterText, type Snapshot } from "./snapshots.ts";

/** What restic has made of a policy. */
interface Forgotten {
  readonly exitCode: number;
  readonly groups: readonly ForgetGroup[];
  /** It has printed something, and no groups: what it has decided is not known. */
  readonly isUnclear: boolean;
  /** restic since 0.17 has refused to remove the last snapshot of a group: its words. */
  readonly refusal: string | undefined;
}

export interface Applied {
  readonly exitCode: number;
  /** Why restic was not asked to remove anything. */
  readonly withheld?: string;
}

/** The snapshot that the run has made. */
export interface Made {
  /** Its short id. */
  readonly id: string;
  /** It may not be the newest of its group. */
  readonly isSuspect: boolean;
  /** The repository's id, where it is known. */
  readonly repository: string | undefined;
}

/** The retention of one run. */
export class Retention {
  readonly policy: Policy;
  private readonly scope: Scope;
  private readonly missedBefore: number;
  /** Epoch milliseconds, of whole seconds; 0 where there was no run before. */
  private readonly lastMs: number;
  /** The snapshot of the run before, which it may have made in that very second. */
  private readonly lastId: string | undefined;
  /** The last run ended in the future: the clock was set back since. */
  private readonly wasClockSetBack: boolean;

  /** Throws a ConfigError when there is no policy, or it cannot be what was meant. */
  constructor(private readonly run: RetentionRun) {
    const { retention_missed, finished_epoch, snapshot_id } = lastFields(run.context, run.name);
    if (typeof snapshot_id === "string" && snapshot_id !== "") this.lastId = snapshot_id;
    this.lastMs = typeof finished_epoch === "number" ? finished_epoch * 1000 : 0;
    this.wasClockSetBack = this.lastMs > Date.now() + AHEAD_MS;
    this.missedBefore = typeof retention_missed === "number" ? retention_missed : 0;
    run.facts.retention_missed = this.missedBefore + 1;
    this.policy = readOwnPolicy(run);
    this.scope = readScope(run, this.policy);
    // Until it is this policy's turn, the row is neither longer nor over.
    run.facts.retention_missed = this.missedBefore;
  }

  /** Throws a ConfigError where the restic on PATH cannot apply the policy: before the work, and not after it. */
  async refuseTooNew(): Promise<void> {
    if (!this.policy.saysUnlimited) return;
    const { resticVersion } = await import("./open.ts");
    const problem = tooNewText("RESTIC_FORGET_ARGS", this.policy, await resticVersion(this.run));
    if (problem === undefined) return;
    this.run.facts.retention_missed = this.missedBefore + 1;
    throw new ConfigError(problem);
  }

  /** The policy is not applied in this run, for this reason: what follows `because`, with its full stop. */
  withhold(reason: string): void {
    const { facts } = this.run;
    facts.retention_withheld = reason;
    facts.retention_missed = this.missedBefore + 1;
    const missed =
      this.missedBefore > 0 ? ` This is the case in ${plural(this.missedBefore + 1, "run")} in a row.` : "";
    this.run.alert("retention-withheld", `The retention policy was not applied, because ${reason}${missed}`);
  }

  /** Applies the policy, where it keeps what must stay; says so when it is withheld. */
  async apply(restic: Restic, made?: Made): Promise<Applied> {
    const { run, policy } = this;
    run.facts.retention_missed = this.missedBefore + 1;
    const asks = made === undefined ? !policy.keepsNewest : this.mayRemove(restic, made);
    if (asks && !policy.isDryRun) {
      const preview = await this.forget(restic, ["--dry-run", ...policy.previewWords]);
      const withheld = preview.refusal ?? this.objection(preview, made?.id);
      if (withheld !== undefined) return { exitCode: EXIT.failed, withheld };
      if (preview.exitCode !== EXIT.ok) return this.ended(preview);
    }
    const forgotten = await this.forget(restic, policy.words);
    if (forgotten.exitCode === EXIT.ok && !policy.isDryRun) this.tell(forgotten.groups, made?.id);
    if (forgotten.refusal !== undefined) return { exitCode: forgotten.exitCode, withheld: forgotten.refusal };
    return this.ended(forgotten);
  }

  /** Can the snapshot that was just made be among those that go? */
  private mayRemove(restic: Restic, made: Made): boolean {
    const { policy } = this;
    // Snapshots of a clock that was set back are newer than the new ones, in the runs after this one too.
    const isAhead = this.wasClockSetBack || this.missedBefore > 0;
    if (made.isSuspect || isAhead || !policy.keepsByCount || !policy.groupsByHost) return true;
    const own = [made.id, ...(this.lastId === undefined ? [] : [this.lastId])];
    return (
      made.repository !== undefined &&
      hasSnapshotsBeside(own, `${restic.cacheFolder}/${made.repository}/snapshots`, this.lastMs)
    );
  }

  private objection(
    { exitCode, groups, isUnclear }: Forgotten,
    made: string | undefined,
  ): string | undefined {
    const { policy } = this;
    if (exitCode !== EXIT.ok) return undefined;
    if (isUnclear) return "restic's answer about what it would remove cannot be understood; see it above.";
    const lost = made === undefined ? undefined : lostText(groups, made);
    if (lost !== undefined) return `it would remove ${lost} (${policy.shown}).`;
    const [first, ...others] = policy.mayEmptyGroups ? [] : emptied(groups);
    if (first === undefined) return undefined;
    const more = others.length === 0 ? "" : `, and of ${plural(others.length, "other group")}`;
    return (
      `${policy.shown} keeps no snapshot of ${groupText(first)}${more}, and would remove all ${first.remove?.length}. ` +
      "Add what to keep, such as --keep-last 1."
    );
  }

  private async forget(restic: Restic, words: readonly string[]): Promise<Forgotten> {
    const { run } = this;
    const counters = new PlainCounters(run);
    const output = new GroupsOutput((line) => {
      if (line !== "" && !counters.takes(line)) run.log.childLine("restic", line);
    });
    let refusal: string | undefined;
    const hear = (text: string) => {
      const group = /refusing to delete last snapshot of snapshot group (.+)/s.exec(text)?.[1];
      if (group === undefined) return false;
      refusal =
        `${this.policy.shown} keeps no snapshot of ${group.replaceAll('"', "")}. ` +
        "Add what to keep, such as --keep-last 1.";
      return true;
    };
    const { exitCode } = await restic
      .call(["forget", "--json", ...this.scope.words, ...words], {
        onBytes: output.take,
        onMessage: (message) => hear(errorText(message)),
        onWords: hear,
        lockWait: lockWaitOf(run),
      })
      .catch((error) => {
        run.facts.forget_exit_code = exitOfStopped(error).exitCode;
        throw error;
      })
      .finally(() => output.end());
    const { groups = [], hasMore } = output;
    return { exitCode, groups, isUnclear: groups.length === 0 && hasMore, refusal };
  }

  private ended({ exitCode }: Forgotten): Applied {
    const { facts } = this.run;
    facts.forget_exit_code = exitCode;
    if (exitCode === EXIT.ok && !this.policy.isDryRun) facts.retention_missed = 0;
    return { exitCode };
  }

  private tell(groups: readonly ForgetGroup[], made: string | undefined): void {
    const { run } = this;
    const { kept, removed } = tally(groups);
    run.addFacts({ snapshots_kept: kept, snapshots_removed: removed });
    for (const group of sortedGroups(groups)) if (group.remove?.length) run.log.info(removedText(group));
    const narrowed = filterText(this.scope.filter);
    run.log.info(`${tallyText({ kept, removed })}${narrowed && `, of those ${narrowed}`}.`);
    // Only a snapshot that nobody could know of makes this happen: one from the future that is not in the cache.
    const lost = made === undefined ? undefined : lostText(groups, made);
    if (lost !== undefined)
      run.alert("snapshot-removed", `The retention policy removed ${lost}. Back up again.`);
  }
}

/** Milliseconds; a record from further ahead than this was written before the clock was set back. */
const AHEAD_MS = 60_000;

/**
 * Has restic learned of snapshots beside our own since then? One from the future may be among them, which takes the new
 * one's place. The backup before has read them all into `folder`, its cache, where a file's time is that of its coming.
 */
function hasSnapshotsBeside(own: readonly string[], folder: string, sinceMs: number): boolean {
  try {
    return readdirSync(folder, { recursive: true }).some((each) => {
      const name = String(each).split("/").pop() ?? "";
      if (name.length !== 64 || own.some((id) => name.startsWith(id))) return false;
      return statSync(`${folder}/${each}`).mtimeMs >= sinceMs;
    });
  } catch {
    // There is no cache, or another restic has just removed a file of it: asking costs a second, and is safe.
    return true;
  }
}

/** `snapshot …, which this run has just made`, and for which other one, when it is among those that go. */
function lostText(groups: readonly ForgetGroup[], made: string): string | undefined {
  const isMade = ({ id }: Snapshot) => id.startsWith(made);
  const group = groups.find(({ remove }) => remove?.some(isMade));
  const lost = group?.remove?.find(isMade);
  if (lost === undefined) return undefined;
  const newer = group?.keep?.find((kept) => epochOf(kept) > epochOf(lost));
  const why = newer && `; ${describeSnapshot(newer, localZone())} is newer (was the clock set back?)`;
  return `snapshot ${made}, which this run has just made${why ?? ""}`;
}

function readOwnPolicy({ settings }: Run): Policy {
  const words = settings.words("RESTIC_FORGET_ARGS");
  if (words.length === 0) {
    throw new ConfigError("There is no policy. Set RESTIC_FORGET_ARGS, for example to --keep-daily 7.");
  }
  return readPolicy("RESTIC_FORGET_ARGS", words);
}

const errorText = (message: Message): string =>
  message.message_type === "exit_error" ? (message.message ?? "") : "";
