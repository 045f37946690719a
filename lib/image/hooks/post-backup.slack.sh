#!/usr/bin/env bash
# A message to Slack when a backup has failed. Mount as /hooks/post-backup.sh; SLACK_WEBHOOK_URL is the channel's URL.
set -euo pipefail
code=${1:-0}
if [ "$code" -eq 0 ] || [ -z "${SLACK_WEBHOOK_URL:-}" ]; then exit 0; fi

# The record holds no secret: the program takes them out. There is none when LOG_DIR cannot be written.
jq --null-input --compact-output --arg host "$RBH_HOSTNAME" --arg code "$code" --slurpfile record "${RBH_RECORD:-/dev/null}" '
  {text: "Backup of \($host) ended with exit code \($code)",
   attachments: [{color: "danger", text: ($record[0] | {status, error, repository, finished_at} | tojson)}]}' |
  curl --fail --silent --show-error --max-time 10 --header 'Content-Type: application/json' --data @- "$SLACK_WEBHOOK_URL"
