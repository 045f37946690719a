#!/bin/sh
# Runs before every backup. It cannot prevent it: the backup runs whatever the exit code is.
echo "$(find "$BACKUP_ROOT_DIR" -type f | wc -l) files are in $BACKUP_ROOT_DIR"
