#!/bin/sh
# Freezes a file system while it is backed up. Mount as /hooks/pre-backup.sh, with post-backup.thaw.sh as its
# counterpart. Needs CAP_SYS_ADMIN and the file system's own mount point; a snapshot below the file system (LVM, ZFS) is
# better where there is one, as everything that writes waits until the thaw.
set -eu
fsfreeze --freeze "${FREEZE_PATH:-/data}"
