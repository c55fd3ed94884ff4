#!/bin/sh
# An agent's loop: claim, work, submit, until nothing is left to claim.
# Usage: agent-loop.sh ACTOR COMMAND [ARG...]   (the command gets $TASK)
set -u
actor=$1
shift
while :; do
  answer=$(orch claim --next --ttl 30m --json --as "$actor")
  status=$?
  [ "$status" -eq 12 ] && exit 0        # nothing ready: done for now
  [ "$status" -eq 0 ] || exit "$status"
  # The exit codes and the lease's token are all that a script needs to know.
  TASK=$(printf '%s' "$answer" | sed 's/.*"task_id":"\([^"]*\)".*/\1/')
  token=$(printf '%s' "$answer" | sed 's/.*"lease":{"token":\([0-9]*\).*/\1/')
  export TASK
  if "$@"; then
    orch submit "$TASK" --token "$token" --as "$actor"
  else
    orch release "$TASK" --token "$token" --note "the command failed" --as "$actor"
    exit 1
  fi
done
