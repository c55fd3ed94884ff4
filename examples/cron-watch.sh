#!/bin/sh
# For cron: run what can be run now, tasks and schedules, and wait for it.
# Usage: cron-watch.sh WORKSPACE [LOG]      (events go to LOG, else nowhere)
#
# A line for `crontab -e`, every minute; one that is still at work does no harm,
# since no task and no due time is run twice:
#   * * * * *  $HOME/bin/cron-watch.sh $HOME/work $HOME/watch.log
#
# Come less often than every minute, and the schedules in orch.yaml need
# `catch_up: true`: a time that is more than a minute ago counts as missed.
set -eu
# cron's own $PATH has neither `orch` nor, most often, what runners start.
PATH=$PATH:/usr/local/bin:${HOME:-/root}/.local/bin:${HOME:-/root}/.cargo/bin
export PATH
exec orch -C "$1" watch --once >>"${2:-/dev/null}"
