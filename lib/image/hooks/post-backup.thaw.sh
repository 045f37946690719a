#!/bin/sh
# Undoes pre-backup.freeze.sh, whatever became of the backup: post-hooks run after failures and stops too.
fsfreeze --unfreeze "${FREEZE_PATH:-/data}" || echo "was it frozen at all?"
