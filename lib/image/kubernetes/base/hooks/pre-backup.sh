#!/bin/sh
# Runs before every backup. It cannot stop it: whatever it exits with, the backup runs.
echo "$(find "$BACKUP_ROOT_DIR" -type f | wc -l) files stand in $BACKUP_ROOT_DIR"
