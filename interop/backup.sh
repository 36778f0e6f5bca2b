#!/usr/bin/env bash
# Backs a broker up while it is loaded, twice, puts the backup back, and sees to it that what was acknowledged before is there.
#   interop/backup.sh [SECONDS]     of load before each backup, 5; PORT=23700 and the ones below and above it are used
# It writes a few GiB below TMPDIR and removes them again.
set -uo pipefail
seconds=${1:-5}
bin=${RINGMQ:-$(dirname "$0")/../bin/ringmq}
port=${PORT:-23700}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-backup-XXXXXX") || exit 1
broker= load=
cleanup() {
  for p in $load $broker; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
fail() { echo "backup: $*" >&2; exit 1; }

start() { # start STORE KEY=VALUE...
  local store=$1 sets=(); shift
  for s in "$@"; do sets+=(--set "$s"); done
  "$bin" standalone --set listenPort="$port" --set namesrvListenPort=$((port - 1)) --set storePathRootDir="$store" "${sets[@]}" >"$work/out" 2>"$work/log" &
  broker=$!
  for _ in $(seq 300); do
    grep -q "is ready after" "$work/out" && return
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/out" "$work/log" >&2
  fail "the broker does not start on $store"
}
stop() { kill "$broker"; wait "$broker" 2>/dev/null; broker=; }
backup() { "$bin" backup -b "127.0.0.1:$port" --to "$work/backup" "$@" || fail "the backup failed"; }

start "$work/store" mappedFileSizeCommitLog=67108864
for round in 1 2; do
  "$bin" bench verify -b "127.0.0.1:$port" --topic "Before$round" --duration "${seconds}s" --rate 5000 --ledger "$work/ledger$round" >"$work/bench" 2>&1 ||
    { cat "$work/bench" >&2; fail "the load failed"; }
  "$bin" bench produce -b "127.0.0.1:$port" --topic Beside --duration 600s --rate 5000 >"$work/beside" 2>&1 &
  load=$!
  "$bin" admin updateTopic -n "127.0.0.1:$((port - 1))" -c DefaultCluster -t "Gone$round" >/dev/null || fail "no topic"
  backup
  "$bin" admin deleteTopic -n "127.0.0.1:$((port - 1))" -c DefaultCluster -t "Gone$round" >/dev/null || fail "the topic stays"
  kill "$load"; wait "$load" 2>/dev/null; load=
  "$bin" backup verify "$work/backup" || fail "something is wrong in it"
done
stop
"$bin" restore --from "$work/backup" --to "$work/restored" | tee "$work/said" || fail "it cannot be put back"
mapfile -t keys < <(grep -E '^(brokerName|brokerClusterName|mappedFile|mapperFile|max|message|enabled)[A-Za-z]*=' "$work/said")
start "$work/restored" "${keys[@]}"
for round in 1 2; do
  "$bin" bench verify -b "127.0.0.1:$port" --ledger "$work/ledger$round" --check || fail "what was acknowledged before backup $round is not there"
done
"$bin" dump commitlog "$work/backup" --wrong || fail "the backup's log has something wrong"
stop
echo "backup: what was acknowledged is there"
