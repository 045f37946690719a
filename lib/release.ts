/** The version of the program and the release string of the image, `<version>-<restic's version>`. */

import { environment } from "./environment.ts";

// Put in by the build (see the Makefile); absent when the sources run without one.
declare const BUILD_VERSION: string | undefined;
declare const BUILD_RELEASE: string | undefined;

export const version = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0";

/** The image may be built with another restic than ours: its own word wins. */
export const release =
  environment.RESTIC_BACKUP_HELPER_RELEASE ||
  (typeof BUILD_RELEASE === "string" ? BUILD_RELEASE : "unreleased");
