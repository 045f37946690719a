#!/bin/sh
# Undoes pre-backup.freeze.sh, even after a failed or stopped backup: post-hooks run then too.
fsfreeze --unfreeze "${FREEZE_PATH:-/data}" || echo "was it frozen at all?"
