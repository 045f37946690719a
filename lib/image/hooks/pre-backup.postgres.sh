#!/bin/sh
# Puts a dump of a PostgreSQL database where the backup reads it. Mount as /hooks/pre-backup.sh; PGHOST, PGUSER and
# PGPASSFILE are the client's own variables. Needs pg_dump in the image: apk add postgresql-client.
set -eu
target=${DUMP_DIR:-/data/dumps}
mkdir -p "$target"
# Written aside and renamed: a dump that failed halfway never takes the place of a good one.
pg_dump --format=custom --file="$target/.new" "${PGDATABASE:?names the database}"
mv "$target/.new" "$target/$PGDATABASE.dump"
