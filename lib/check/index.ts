/** Everything that can be said of the environment without starting a program or asking the network. */

import type { Settings } from "../config/settings.ts";
import type { Check } from "./check.ts";
import { checkPassword, checkRepository } from "./repository.ts";
import { checkSchedule } from "./schedule.ts";
import { checkCacert, checkPaths, checkRclone, checkReplicate, checkTag } from "./sources.ts";
import { checkValues } from "./values.ts";

export type { Check } from "./check.ts";

/** `workers` are the names of the runs: they make <WORKER>_TIMEOUT and HOOK_TIMEOUT_<PHASE>. */
export function checkAll(settings: Settings, workers: readonly string[]): Check[] {
  return [
    checkRepository(settings),
    checkPassword(settings),
    checkTag(settings),
    ...checkPaths(settings),
    checkRclone(settings),
    checkReplicate(settings),
    checkCacert(settings),
    ...checkSchedule(settings),
    ...checkValues(settings, workers),
  ];
}
