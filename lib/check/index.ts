/** Everything that can be said of the environment without starting a program or asking the network. */

import type { Settings } from "../config/settings.ts";
import type { Check } from "./check.ts";
import { checkPassword, checkRepository } from "./repository.ts";
import { checkSchedule } from "./schedule.ts";
import { checkCacert, checkJobFiles, checkPaths, checkRclone, checkReplicate, checkTag } from "./sources.ts";
import { checkValues } from "./values.ts";

export { type Check, sentence } from "./check.ts";
export { checkRclone } from "./sources.ts";
export { checkValues } from "./values.ts";

/** `workers` are the names of the runs: they make <WORKER>_TIMEOUT and HOOK_TIMEOUT_<PHASE>. */
export async function checkAll(settings: Settings, workers: readonly string[]): Promise<Check[]> {
  return [...(await checkThings(settings)), ...checkValues(settings, workers)];
}

/** What the workers need is there, and can be read. */
export async function checkThings(settings: Settings): Promise<Check[]> {
  return [
    checkRepository(settings),
    await checkPassword(settings),
    checkTag(settings),
    ...(await checkPaths(settings)),
    ...(await checkJobFiles(settings)),
    await checkRclone(settings),
    await checkReplicate(settings),
    await checkCacert(settings),
    ...checkSchedule(settings),
  ];
}
