#!/usr/bin/env bash
# What grows with the number of queues and with the length of the log, measured of bin/ringmq alone, into a page of Markdown.
#   interop/scale.sh [SECONDS [MIB [DOC]]]     60 s of load for each number of queues, 16384 MiB of log, docs/scale.md
# PORT=23500 and the ones below and above it are used. It writes twice MIB below TMPDIR at most, and removes it again. As root it empties the
# page cache before the starts, as after a reboot.
set -uo pipefail
seconds=${1:-60} mib=${2:-16384}
root=$(cd "$(dirname "$0")/.." && pwd)
doc=${3:-$root/docs/scale.md}
notes=$root/docs/benchmarks-notes.md # the remaining costs
bin=${RINGMQ:-$root/bin/ringmq}
port=${PORT:-23500}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-scale-XXXXXX") || exit 1
broker=
cleanup() {
  [ -n "$broker" ] && kill -9 "$broker" 2>/dev/null && wait "$broker" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

start() { # start STORE: sets broker, and ready to the seconds from exec to answering
  local began now
  : >"$work/out"
  began=$(date +%s%N)
  "$bin" standalone --set listenPort="$port" --set namesrvListenPort=$((port - 1)) --set storePathRootDir="$1" \
    --set mappedFileSizeCommitLog=1073741824 >"$work/out" 2>"$work/log" &
  broker=$!
  until grep -q "is ready after" "$work/out"; do
    kill -0 "$broker" 2>/dev/null || { tail -5 "$work/log" >&2; exit 1; }
    now=$(date +%s%N)
    [ $((now - began)) -lt 300000000000 ] || { echo "scale: not ready after 300 s" >&2; exit 1; }
    sleep 0.002
  done
  ready=$(awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN{printf "%.3f", (b-a)/1e9}')
}
stop() { # stop TERM|KILL
  kill "-$1" "$broker"; wait "$broker" 2>/dev/null; broker=
}
cold() { [ "$(id -u)" = 0 ] && { sync; echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null; return 0; }
mem() { awk '/VmRSS/{printf "%.0f", $2/1024}' "/proc/$broker/status"; }
figure() { sed -n "s/^  *\"$1\": *\\([0-9.]*\\).*/\\1/p" "$work/json" | head -1; }
load() { # load FLAGS...
  "$bin" bench produce -b "127.0.0.1:$port" --pid "$broker" --warm-up 0s --json "$work/json" --fail-on-errors "$@" >"$work/bench" 2>&1 ||
    { tail -20 "$work/bench" >&2; exit 1; }
}

# bar WHAT TO-REACH FIGURE NOTE: keeps a line of the table of bars; TO-REACH is ">= 0.8" or "< 3 s", NOTE a section of the notes
bar() {
  local reached cost=-
  reached=$(awk -v f="$3" -v bar="$2" 'BEGIN{split(bar, b, " "); print (b[1] == "<" ? f < b[2] : f >= b[2]) ? "yes" : "**no**"}')
  [ "$reached" = yes ] || cost="$(awk -v name="## $4" '$0==name{on=1; next} /^## /{on=0} on && !NF && text{exit} on && NF{text=text sep $0; sep=" "} END{print text}' "$notes") [more](benchmarks-notes.md#$4)"
  echo "| $1 | $2 | $3 | $reached | $cost |" >>"$work/bars"
}

queues() { # a line of the table for so many queues: spread evenly, killed at the end, started again
  local topics=$1 each=$2 n=$(($1 * $2)) rate whole loaded
  start "$work/queues"
  load --topics "$topics" --queues "$each" --duration "${seconds}s"
  rate=$(awk -v r="$(figure PerSecond)" 'BEGIN{printf "%.0f", r}') loaded=$(mem)
  stop KILL
  cold
  start "$work/queues"
  # Of the load and the start together, as if nothing was sent while it starts.
  whole=$(awk -v r="$rate" -v s="$seconds" -v t="$ready" 'BEGIN{printf "%.0f", r*s/(s+t)}')
  base=${base:-$rate} base_whole=${base_whole:-$whole}
  echo "| $n | $rate | $(awk -v r="$rate" -v b="$base" 'BEGIN{printf "%.2f", r/b}') | $ready | $(awk -v r="$whole" -v b="$base_whole" 'BEGIN{printf "%.2f", r/b}') | $loaded |"
  stop TERM
  rm -rf "$work/queues"
  local ratio; ratio=$(awk -v r="$whole" -v b="$base_whole" 'BEGIN{printf "%.2f", r/b}')
  [ "$n" -eq 8 ] || bar "$n queues, messages/s beside 8, the start after SIGKILL counted" ">= 0.8" "$ratio" queues
  [ "$n" -lt 100000 ] || bar "resident memory with $n queues, under load" "< 400 MiB" "$loaded" memory
}

starts() { # start-up with an empty store, and with a long log on 10,000 queues
  start "$work/empty"
  sleep 2
  local idle; idle=$(mem)
  echo "| empty | first start | $ready | $idle |"
  bar "resident memory, idle" "< 40 MiB" "$idle" memory
  stop TERM; rm -rf "$work/empty"
  start "$work/long"
  load --topics 100 --queues 100 --batch 16 --duration "$((mib / 200 + 1))s"
  while [ "$(du -sm "$work/long/commitlog" | cut -f1)" -lt "$mib" ]; do load --existing --topics 100 --queues 100 --batch 16 --duration 5s; done
  stop TERM
  cold
  start "$work/long"
  sleep 2
  echo "| $mib MiB, 10,000 queues | after a stop in order | $ready | $(mem) |"
  bar "exec to ready with $mib MiB of log and 10,000 queues, after a stop in order" "< 1 s" "$ready" start
  load --existing --topics 100 --queues 100 --batch 16 --duration 5s
  stop KILL
  cold
  start "$work/long"
  sleep 2
  echo "| $mib MiB, 10,000 queues | after SIGKILL under load | $ready | $(mem) |"
  bar "the same after SIGKILL under load" "< 3 s" "$ready" start
  stop TERM
  rm -rf "$work/long"
}

{
  cat <<M
# Many queues, a long log

\`interop/scale.sh $seconds $mib\` (\`make scale\`) made this page at commit $(git -C "$root" describe --always --dirty 2>/dev/null), $(date -u +%F). ringmq alone, SYNC_FLUSH, bodies of 1024 bytes;
generator and broker share one machine of $(nproc) processors, Linux $(uname -r).

## Queues

A closed loop of 4 connections with 64 sends in flight on each, spread evenly over all queues for $seconds s; then SIGKILL, and a start$([ "$(id -u)" = 0 ] && echo " with an empty page cache").
Messages/s is the rate while it was loaded; the first ratio is that rate divided by the first row's. The start is from exec to answering. The second
ratio counts the start: messages sent in $seconds s divided by $seconds s and the start together, and that divided by the same of the first row. It is how a long
start weighs in $seconds s; of a longer run the start is a smaller part, so that this ratio then comes closer to the first.

| queues | messages/s | ratio of messages/s | start after SIGKILL, s | ratio with the start counted | resident MiB under load |
| --- | --- | --- | --- | --- | --- |
M
  queues 1 8
  queues 10 100
  queues 1000 100
  cat <<M

## From exec to answering

| store | how | seconds | resident MiB 2 s later |
| --- | --- | --- | --- |
M
  starts
  cat <<M

## Bars

| bar | to reach | figure | reached | what the remaining cost is |
| --- | --- | --- | --- | --- |
M
  cat "$work/bars"
} >"$work/page.md"
cp "$work/page.md" "$doc"
cat "$doc"
