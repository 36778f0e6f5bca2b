#!/usr/bin/env bash
# Backs a broker up while it is loaded, twice, puts the backup back, and sees to it that what was acknowledged before is there.
#   interop/backup.sh [SECONDS]     of load before each backup, 5; PORT=23700 and the ones below and above it are used
# It writes a few GiB below TMPDIR and removes them again. Ends with "backup: N passed, M failed, K skipped".
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-5}
bin=${RINGMQ:-$root/bin/ringmq}
port=${PORT:-23700}
. "$root/interop/must.sh"
suite=backup
[ -x "$bin" ] || { echo "backup: no $bin; make build makes it" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-backup-XXXXXX") || exit 1
broker='' load=''
cleanup() {
  for p in $load $broker; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
needed() { # needed WHAT COMMAND...: a check that what follows rests on
  local before=$failed
  check "$@"
  [ "$failed" -eq "$before" ] || { summary backup; exit; }
}

start() { # start STORE KEY=VALUE...
  local store=$1 sets=() s; shift
  for s in "$@"; do sets+=(--set "$s"); done
  "$bin" standalone --set listenPort="$port" --set namesrvListenPort=$((port - 1)) --set storePathRootDir="$store" "${sets[@]}" >"$work/out" 2>"$work/log" &
  broker=$!
  for _ in $(seq 300); do
    grep -q "is ready after" "$work/out" && return
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/out" "$work/log"
  return 1
}
stop() { kill "$broker"; wait "$broker" 2>/dev/null; broker=''; }
acknowledged() { "$bin" bench verify -b "127.0.0.1:$port" --topic "Before$1" --duration "${seconds}s" --rate 5000 --ledger "$work/ledger$1"; }
there() { "$bin" bench verify -b "127.0.0.1:$port" --ledger "$work/ledger$1" --check; }
topic() { "$bin" admin "$1" -n "127.0.0.1:$((port - 1))" -c DefaultCluster -t "$2"; } # topic COMMAND NAME
loaded() { # with sends that go on
  "$bin" bench produce -b "127.0.0.1:$port" --topic Beside --duration 600s --rate 5000 >"$work/beside" 2>&1 &
  load=$!
}
backup() { # the load has to be there until its end
  "$bin" backup -b "127.0.0.1:$port" --to "$work/backup" || return
  kill -0 "$load" || { cat "$work/beside"; return 1; }
}
put_back() { "$bin" restore --from "$work/backup" --to "$work/restored" >"$work/settings" || { cat "$work/settings"; return 1; }; }
topics() { # as they were when the second run began
  "$bin" admin topicList -n "127.0.0.1:$((port - 1))" >"$work/topics" && grep -x Gone2 "$work/topics" && ! grep -x Gone1 "$work/topics"
}

needed "a broker starts" start "$work/store" mappedFileSizeCommitLog=67108864
for round in 1 2; do
  needed "run $round: messages are acknowledged" acknowledged $round
  loaded
  needed "run $round: a topic is there" topic updateTopic "Gone$round"
  needed "run $round is complete" backup
  needed "run $round: the topic is deleted" topic deleteTopic "Gone$round"
  kill "$load"; wait "$load" 2>/dev/null; load=''
  check "run $round: nothing is wrong in the backup" "$bin" backup verify "$work/backup"
done
stop
needed "it is put back" put_back
mapfile -t keys < <(grep -E '^(brokerName|brokerClusterName|mappedFile|mapperFile|max|message|enabled)[A-Za-z]*=' "$work/settings")
needed "a broker starts on it" start "$work/restored" "${keys[@]}"
for round in 1 2; do
  check "what was acknowledged before run $round is there" there $round
done
check "its topics are those of the second run" topics
check "nothing is wrong in the backup's log" "$bin" dump commitlog "$work/backup" --wrong
stop
summary backup
