/** Files in HOOKS_DIR that look meant as hooks but never run. Pure. */

import { nearest } from "../nearest.ts";

export interface Named {
  readonly name: string;
  readonly isFolder: boolean;
}

export interface Worker {
  readonly name: string;
  readonly aliases?: readonly string[];
}

export interface Misnamed {
  readonly name: string;
  /** The real name that was meant; undefined where none is near. */
  readonly nearest: string | undefined;
}

/** What editors, package managers and careful people append to a name. */
const ENDINGS =
  /(\.(sh|bash|py|txt|bak|backup|old|orig|save|swp|tmp|sample|example|disabled|off|new|d|\d+)|~)+$/i;

/** Hidden files are nobody's hooks: a ConfigMap keeps its data in them. */
export function misnamed(entries: readonly Named[], workers: readonly Worker[]): Misnamed[] {
  const phases = workers.flatMap(({ name }) => [`pre-${name}`, `post-${name}`]);
  const real = new Set(phases.flatMap((phase) => [`${phase}.sh`, `${phase}.d`]));
  return entries
    .filter(({ name }) => !name.startsWith(".") && !real.has(name))
    .flatMap(({ name, isFolder }) => {
      const stem = stemOf(name, workers);
      const phase = nearestPhase(stem, phases);
      if (phase === undefined && !/^(pre|post)-./.test(stem)) return [];
      return [{ name, nearest: phase && `${phase}${isFolder ? ".d" : ".sh"}` }];
    });
}

function nearestPhase(stem: string, phases: readonly string[]): string | undefined {
  if (phases.includes(stem)) return stem;
  return phases.find((phase) => phase.startsWith(`${stem}-`)) ?? nearest(stem, phases, 2);
}

/** `Backup_pre.SH.bak` → `pre-backup`, and a former worker's name → the one of now. */
function stemOf(name: string, workers: readonly Worker[]): string {
  const words = name.replace(ENDINGS, "").toLowerCase().replace(/[_. ]/g, "-");
  const turned = words.replace(/^(.+)-(pre|post)$/, "$2-$1");
  const [, when, worker] = /^(pre|post)-(.+)$/.exec(turned) ?? [];
  const now = workers.find(({ aliases }) => worker !== undefined && aliases?.includes(worker));
  return now === undefined ? turned : `${when}-${now.name}`;
}
