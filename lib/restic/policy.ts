/**
 * Retention policies, which are arguments of `restic forget`: applying one, and previewing what one would keep and
 * remove without removing anything.
 */

import { exitOfStopped, type Outcome, type Run } from "../run/run.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { tableLines } from "../text.ts";
import type { Zone } from "../time/zone.ts";
import { RESTIC } from "./messages.ts";
import { callRestic, type Restic } from "./restic.ts";
import { epochOf, isListOf, isSnapshot, isWord, type Snapshot, snapshotCells } from "./snapshots.ts";

/** Arguments that say what to keep, or (since 0.17) that nothing need be kept. */
const KEEPS = /^(--keep-|-[lHdwmy]|--unsafe-allow-remove-all)/;

export const keepsAnything = (policy: readonly string[]): boolean => policy.some((word) => KEEPS.test(word));

/** Does the policy itself select snapshots by `option`, which is `--host` or `--tag`? */
export const filtersBy = (policy: readonly string[], option: string): boolean =>
  policy.some((word) => word === option || word.startsWith(`${option}=`));

/** --prune, and whatever could undo --dry-run: --dry-run=false, -n=false, or an n among other short flags. */
const UNSAFE = /^(--prune|--dry-run)(=|$)|^-[A-Za-z]*n(=|$)/;

/** The arguments that preview a policy. --dry-run goes first, so that no flag before it can take it as its value. */
export function previewArgs(
  policy: readonly string[],
  filter: { readonly host: string | undefined; readonly tag: string | undefined },
): string[] {
  return [
    "forget",
    "--dry-run",
    "--json",
    ...(filter.host === undefined ? [] : [`--host=${filter.host}`]),
    ...(filter.tag === undefined ? [] : [`--tag=${filter.tag}`]),
    ...policy.filter((word) => !UNSAFE.test(word)),
  ];
}

/** Snapshots that the policy treats as a group, from `restic forget --json`. Checked with 0.14, 0.18 and 0.19. */
export interface ForgetGroup {
  readonly host: string;
  readonly paths: readonly string[] | null;
  readonly tags: readonly string[] | null;
  readonly keep: readonly Snapshot[] | null;
  readonly remove: readonly Snapshot[] | null;
  /** For the snapshots that are kept; in 0.14 without their ids. */
  readonly reasons: readonly { readonly snapshot: Snapshot; readonly matches: readonly string[] }[] | null;
}

/** Does the value have the fields, of the right types, that a decision is read from? */
export function isForgetGroup(value: unknown): value is ForgetGroup {
  if (typeof value !== "object" || value === null) return false;
  const { keep, remove, reasons } = value as Partial<Record<keyof ForgetGroup, unknown>>;
  return isListOf(keep, isSnapshot) && isListOf(remove, isSnapshot) && isListOf(reasons, isReason);
}

function isReason(value: unknown): boolean {
  const { snapshot, matches } = (value ?? {}) as { snapshot?: { time?: unknown } | null; matches?: unknown };
  return typeof snapshot?.time === "string" && isListOf(matches, isWord);
}

export interface Decision {
  readonly snapshot: Snapshot;
  /** Why it is kept; undefined when it is to be removed. */
  readonly reasons: readonly string[] | undefined;
}

/** What happens to each snapshot, group by group, oldest first. restic gives the groups in any order. */
export function readDecisions(groups: readonly ForgetGroup[]): Decision[] {
  const key = ({ host, paths, tags }: ForgetGroup) => JSON.stringify([host, paths, tags]);
  const sorted = [...groups].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return sorted.flatMap(({ keep, remove, reasons }) => {
    const why = new Map((reasons ?? []).map(({ snapshot, matches }) => [snapshot.time, matches]));
    const kept = (keep ?? []).map((snapshot) => ({ snapshot, reasons: why.get(snapshot.time) ?? [] }));
    const removed = (remove ?? []).map((snapshot) => ({ snapshot, reasons: undefined }));
    return [...kept, ...removed].sort((a, b) => epochOf(a.snapshot) - epochOf(b.snapshot));
  });
}

export function decisionTable(decisions: readonly Decision[], zone: Zone): string[] {
  const rows = decisions.map(({ snapshot, reasons }) => [
    reasons === undefined ? "remove" : "keep",
    ...snapshotCells(snapshot, zone),
    reasons?.join(", ") ?? "",
  ]);
  return tableLines([["", "ID", "TIME", "HOST", "TAGS", "PATHS", "KEPT AS"], ...rows]);
}

export const policyFacts = {
  forget_exit_code: { type: "exit code", help: "exit code of restic forget" },
} as const satisfies Fields;

/**
 * Runs `restic forget`. A locked repository (11) is not a failure but a reason to skip, for which `lockedOut` is logged:
 * nothing is lost by forgetting later.
 */
export async function applyPolicy(
  run: Run<FactsOf<typeof policyFacts>>,
  restic: Restic,
  words: readonly string[],
  lockedOut: string,
): Promise<Outcome> {
  const outcome = await callRestic(run, restic, ["forget", ...words], { lockedOut }).catch((error) => {
    run.facts.forget_exit_code = exitOfStopped(error).exitCode;
    throw error;
  });
  run.facts.forget_exit_code = outcome.exitCode;
  return outcome.exitCode === RESTIC.locked ? { ...outcome, status: "warning" } : outcome;
}
