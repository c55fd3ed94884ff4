#!/bin/sh
# Writers, an editor and kills on one ledger for a while, and then a count of
# what was lost: acknowledged changes, saves by hand, whole files. Exits 1 if
# anything was.
# Usage: torture.sh [SECONDS]     ($ORCH: the program; else the release build)
set -u
seconds=${1:-60}
writers=4

if [ -z "${ORCH:-}" ]; then
  top=$(cd "$(dirname "$0")/.." && pwd)
  ORCH=$top/target/release/orch
  [ -x "$ORCH" ] || cargo build --release --quiet --manifest-path "$top/Cargo.toml" || exit 1
fi
unset ORCH_ACTOR ORCH_ROOT
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir" || exit 1
"$ORCH" init --team --lang en >init 2>&1 || { cat init; exit 1; }
tasks=ORCH/STATE/TASKS.md
mkdir said

# A writer adds rows. Every other command is killed after a few milliseconds and
# then asked again under the same key, as a caller does that heard no answer.
writer() {
  n=0
  while [ ! -e stop ]; do
    n=$((n + 1)) mark="w$1-$n."
    set -- "$1" add "$mark" --as "WORK@w$1" --op-id "$mark"
    name=$1
    shift
    status=137
    if [ $((n % 2)) -eq 0 ]; then
      timeout -s KILL "0.00$((n % 9 + 1))" "$ORCH" "$@" >/dev/null 2>&1
      status=$?
      [ "$status" -eq 137 ] && echo "$mark" >>"said/kills$name"
    fi
    while [ "$status" -eq 137 ]; do
      "$ORCH" "$@" >/dev/null 2>"said/error$name"
      status=$?
    done
    case $status in
      0) echo "$mark" >>"said/acks$name" ;;
      11) echo "$mark" >>"said/busy$name" ;;          # it kept changing: theirs stays
      *) { echo "$mark ended with $status"; cat "said/error$name"; } >>"said/broken$name" ;;
    esac
    set -- "$name"
  done 2>/dev/null
}

# An editor reads the file, adds a line at the end, and saves by renaming.
editor() {
  n=0
  while [ ! -e stop ]; do
    n=$((n + 1)) mark="By hand $n."
    { cat "$tasks"; printf '\n%s\n' "$mark"; } >"$tasks~" && mv "$tasks~" "$tasks"
    echo "$mark" >>said/saves
    sleep 0.05
  done
}

# A reader needs an answer at every moment.
reader() {
  while [ ! -e stop ]; do
    if "$ORCH" list >/dev/null 2>said/unread; then echo read; else cat said/unread; fi
  done >said/reads
}

w=0
while [ "$w" -lt "$writers" ]; do
  w=$((w + 1))
  writer "$w" &
done
editor &
reader &
sleep "$seconds"
: >stop
wait
"$ORCH" add "the end" --as WORK@end >end 2>&1 || { cat end; echo "lost: the ledger"; exit 1; }

# ---- the count -------------------------------------------------------------
lost=0
is_lost() { lost=$((lost + 1)); echo "LOST: $*"; }
count() { cat "$@" 2>/dev/null | grep -c .; }
journal() { cat ORCH/LOGS/*/journal.jsonl; }

cat said/acks* 2>/dev/null | sort >acks
grep -o '| w[0-9]*-[0-9]*\. |' "$tasks" | tr -d '| ' | sort >rows
uniq -d rows >twice
journal | grep '"actor":"external"' >by_hand
taken=0
for mark in $(comm -23 acks rows); do
  # Gone, and that is no loss where an older copy was saved over it and the
  # journal's operation for that save names it: one `orch undo` brings it back.
  if grep -q "\\\\n-[^\\\\]*| $mark |" by_hand; then
    taken=$((taken + 1))
  else
    is_lost "$mark was acknowledged and is nowhere"
  fi
done
for mark in $(cat twice); do is_lost "$mark stands twice"; done
cat "$tasks" ORCH/STATE/*.orch-conflict-* 2>/dev/null >kept
while read -r mark; do
  grep -qxF "$mark" kept || is_lost "the save with '$mark'"
done <said/saves
for file in said/broken*; do
  [ -e "$file" ] && is_lost "$(cat "$file")"
done
grep -v '^read$' said/reads >unread && is_lost "readers were refused: $(head -3 unread)"
left=$(find ORCH -name '.*.orch-*')
[ -z "$left" ] || is_lost "temporary files were left: $left"
# Each line of the journal names the one before it.
journal | sed 's/.*"parents":\["*\([0-9a-f]*\)"*\].*"hash":"\([0-9a-f]*\)"}$/\1 \2/' |
  awk 'NR > 1 && $1 != last { bad = 1 } { last = $NF } END { exit bad }' ||
  is_lost "the journal's chain is broken"
"$ORCH" doctor >doctor 2>&1 || is_lost "doctor: $(cat doctor)"

acks=$(count acks)
echo "$seconds s: $acks changes acknowledged ($((acks / seconds))/s) by $writers writers," \
  "$(count said/kills*) commands killed, $(count said/busy*) gave way;"
echo "$(count said/saves) saves by an editor, which took $taken changes back;" \
  "$(count said/reads) reads; $(journal | wc -l) journal lines."
[ "$acks" -gt 0 ] && [ "$(count said/saves)" -gt 0 ] || is_lost "nothing was tried"
echo "lost: $lost"
[ "$lost" -eq 0 ]
