#!/bin/sh
# Puts a dump of a PostgreSQL database where the backup reads it: in /dumps, a volume of its own and a source of its own,
# as /data is mounted read-only. Mount as /hooks/pre-backup.sh; PGHOST, PGUSER and PGPASSFILE are the client's own
# variables. Needs pg_dump in the image: apk add postgresql-client.
set -eu
target=${DUMP_DIR:-/dumps}
# A dump outside every source would never be saved.
found=
while read -r root; do
  case $target/ in "${root%/}"/*) found=${root:+yes} ;; esac
  [ -z "$found" ] || break
done <<EOF
${BACKUP_ROOT_DIR:-}
EOF
case ${RESTIC_JOB_ARGS:-} in *"$target"* | *--files-from*) found=yes ;; esac
if [ -z "$found" ]; then
  echo "$target is in no source of the backup: add it as a line of its own to BACKUP_ROOT_DIR." >&2
  exit 1
fi
mkdir -p "$target"
# Written aside and renamed: a dump that failed halfway never takes the place of a good one.
pg_dump --format=custom --file="$target/.new" "${PGDATABASE:?names the database}"
mv "$target/.new" "$target/$PGDATABASE.dump"
