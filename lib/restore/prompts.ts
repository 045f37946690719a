/** The questions that a restore asks at a terminal: which snapshot, what of it, and into which directory. */

import { absolute } from "../paths.ts";
import { describeSnapshot, type Snapshot, shortId, snapshotTable } from "../restic/snapshots.ts";
import { type Prompt, Unusable } from "../run/prompt.ts";
import type { Refusal } from "../run/target.ts";
import type { Zone } from "../time/zone.ts";

/** Snapshots that are offered, and that --list shows, unless --all is given. */
export const OFFERED = 10;

/** Asks for one of `snapshots`, which are shown in their order. Throws Cancelled. */
export async function askSnapshot(
  prompt: Prompt,
  snapshots: readonly Snapshot[],
  zone: Zone,
): Promise<Snapshot> {
  prompt.say(snapshotTable(snapshots, zone, true));
  const question = `Which snapshot, 1 to ${snapshots.length} or its ID [1, q to cancel]:`;
  const snapshot = await prompt.ask(question, (answer) => parseChoice(answer || "1", snapshots));
  prompt.say([`Snapshot ${describeSnapshot(snapshot, zone)}.`]);
  return snapshot;
}

/** A number in the list, or the beginning of an id in the list. Pure. */
export function parseChoice(answer: string, snapshots: readonly Snapshot[]): Snapshot | Unusable {
  const numbered = /^\d{1,6}$/.test(answer) ? snapshots[Number(answer) - 1] : undefined;
  if (numbered !== undefined) return numbered;
  const [named, another] = snapshots.filter(({ id }) => id.startsWith(answer.toLowerCase()));
  if (named !== undefined && another === undefined) return named;
  return new Unusable(
    named !== undefined && another !== undefined
      ? `${answer} is the beginning of ${shortId(named)} and of ${shortId(another)}.`
      : `${answer} is neither a number from 1 to ${snapshots.length} nor one of these IDs.`,
  );
}

/** Asks what to bring back; empty for everything. Throws Cancelled. */
export async function askInclude(prompt: Prompt): Promise<string[]> {
  return prompt.ask(
    "What to bring back, such as /data/photos or *.txt [everything, q to cancel]:",
    (answer) => (answer === "" ? [] : [answer]),
  );
}

/** Asks for a target that is not refused. Throws Cancelled. */
export async function askTarget(
  prompt: Prompt,
  fallback: string,
  judgeTarget: (target: string) => Promise<Refusal | undefined>,
): Promise<string> {
  return prompt.ask(`Restore into which directory [${fallback}, q to cancel]:`, async (answer) => {
    const target = absolute(answer || fallback);
    const refusal = await judgeTarget(target);
    if (refusal === undefined) return target;
    const inPlace = refusal.grave ? ", or with --in-place to put the files back where they were" : "";
    return new Unusable(
      `${target} is refused: ${refusal.why}. Choose another one, or start with --force${inPlace}.`,
    );
  });
}
