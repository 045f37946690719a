/**
 * Whom a run tells of itself. What does that is loaded only where the environment names somebody to be told;
 * `require` inside a bundle is as lazy as `import()`, and cheaper (see lib/workers/index.ts).
 */

import type { VariableName } from "../config/variables.ts";
import type { Notifier, Occasion } from "../notify/notifier.ts";
import type { Stop } from "../process/stop.ts";
import type { Scene } from "./scene.ts";
import { skipsSoFar } from "./skips.ts";

const CHANNELS = [
  "METRICS_DIR",
  "MAILX_RCPT",
  "WEBHOOK_URL",
  "HEALTHCHECKS_URL",
] as const satisfies readonly VariableName[];

export async function notifierOf(
  scene: Scene,
  stop: Stop,
  occasion: Occasion,
): Promise<Notifier | undefined> {
  if (!CHANNELS.some((name) => scene.settings.configured(name))) return undefined;
  const { Notifier } = await import("../notify/notifier.ts");
  return new Notifier(scene, stop, occasion);
}

/** A skip shows in the metrics, and nowhere else: mails about it would come with every tick. */
export async function announceSkip(scene: Scene): Promise<void> {
  if (!scene.settings.configured("METRICS_DIR")) return;
  const { writeSkips } = await import("../notify/metrics-file.ts");
  await writeSkips(scene, () => skipsSoFar(scene.lockDir, scene.identity.job));
}
