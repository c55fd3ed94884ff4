#!/bin/sh
# For cron: take expired leases back, and move what was closed long ago to the
# archive. Both are safe to repeat: what holds already changes nothing.
# Usage: cron-reap.sh WORKSPACE [BEFORE-DATE]
set -eu
orch -C "$1" reap --quiet --as WORK@cron
[ $# -lt 2 ] || orch -C "$1" archive --before "$2" --quiet --as WORK@cron
