#!/bin/sh
# One line for each open task past its due date: id, due date, title.
# Usage: overdue.sh [WORKSPACE]
set -eu
orch -C "${1:-.}" list --overdue --sort due --format csv --fields task_id,due,title | tail -n +2
