/** What `restic check --json` tells at its end. Pure. Since 0.18; older ones tell it in plain words only. */

import type { Facts } from "../run/record.ts";

/** The message whose type is `summary`. */
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
export function checkFacts(summary: CheckSummary): Facts {
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
  const errors = num_errors === 1 ? "1 error was found" : `${num_errors} errors were found`;
  const packs = broken_packs?.length ?? 0;
  if (packs === 0) return errors;
  return `${errors}; ${packs === 1 ? "1 pack is" : `${packs} packs are`} damaged`;
}

/** What restic advises; in JSON it tells neither in words when the repository has no errors. */
export function checkAdvice({ suggest_repair_index, suggest_prune }: CheckSummary): string[] {
  return [
    ...(suggest_repair_index ? ["restic advises to run `restic repair index`."] : []),
    ...(suggest_prune ? ["restic advises to run prune: the repository holds data that nothing needs."] : []),
  ];
}
