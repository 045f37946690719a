/** The first lines of a container's log. */

import { systemHostname } from "../host.ts";
import { release, version } from "../release.ts";
import { localZone, stamp } from "../time/format.ts";
import type { Start } from "./scene.ts";

export function banner({ log, settings }: Start): void {
  const zone = localZone();
  const host = settings.text("HOSTNAME") || systemHostname();
  log.info(
    `restic-backup-helper ${version} (release ${release}) on ${host}, user ${process.geteuid?.() ?? "?"}`,
  );
  log.info(`It is ${stamp(Date.now(), zone)} in the time zone ${zone.name}.`);
  if (!zone.known)
    log.warn(`TZ=${settings.env.TZ} is no time zone of this image; UTC is used. Install tzdata.`);
  if (process.pid === 1) {
    log.warn("This is process 1 and reaps no orphans. Start it under an init: tini, or docker run --init.");
  }
}
