#!/usr/bin/env bash
# What grows with the number of queues and with the length of the log, measured of bin/ringmq alone, into a page of Markdown.
#   interop/scale.sh [SECONDS [MIB [DOC]]]     60 s of load for each number of queues, 16384 MiB of log, docs/scale.md
# ROUNDS (3) of all, of which the medians are told; IDLE (30) seconds after a start its memory is looked at. PORT=23500 and the ones below
# and above it are used. Below TMPDIR it holds MIB, some GiB more for each round, and what is stored in SECONDS, 35 GiB at most as it comes,
# and removes it again. As root it empties the page cache before the starts, as after a reboot.
set -uo pipefail
seconds=${1:-60} mib=${2:-16384} rounds=${ROUNDS:-3} idle=${IDLE:-30}
root=$(cd "$(dirname "$0")/.." && pwd)
doc=${3:-$root/docs/scale.md}
notes=$root/docs/benchmarks-notes.md # the remaining costs
bin=${RINGMQ:-$root/bin/ringmq}
port=${PORT:-23500}
began=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-scale-XXXXXX") || exit 1
broker=
cleanup() {
  [ -n "$broker" ] && kill -9 "$broker" 2>/dev/null && wait "$broker" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
. "$root/interop/filled.sh"

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
cold() { memory_free; [ "$(id -u)" = 0 ] && { sync; echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null; return 0; }
mem() { awk '/VmRSS/{printf "%.0f", $2/1024}' "/proc/$broker/status"; }
figure() { sed -n "s/^  *\"$1\": *\\([0-9.]*\\).*/\\1/p" "$work/json" | head -1; }
load() { # load FLAGS...
  fill_memory "$bin"
  "$bin" bench produce -b "127.0.0.1:$port" --pid "$broker" --warm-up 0s --json "$work/json" --fail-on-errors "$@" >"$work/bench" 2>&1 ||
    { tail -20 "$work/bench" >&2; exit 1; }
}

keep() { echo "$1 $2" >>"$work/figures"; } # keep NAME FIGURE: one of a round
sorted() { awk -v name="$1" '$1==name{print $2}' "$work/figures" | sort -g; }
median() { sorted "$1" | awk '{v[NR]=$1} END{printf "%.9g", (v[int((NR+1)/2)] + v[int(NR/2)+1])/2}'; }
told() { # told NAME FORMAT: the median, and from where to where the rounds reach
  local all; mapfile -t all < <(sorted "$1")
  # shellcheck disable=SC2059
  printf "$2" "$(median "$1")"
  # shellcheck disable=SC2059
  [ ${#all[@]} -lt 2 ] || printf " ($2..$2)" "${all[0]}" "${all[-1]}"
}

# bar WHAT TO-REACH NAME FORMAT NOTE: a line of the table of bars, judged by the median; TO-REACH is ">= 0.8" or "< 3 s", NOTE a section of
# the notes
bar() {
  local reached cost=-
  reached=$(awk -v f="$(median "$3")" -v bar="$2" 'BEGIN{split(bar, b, " "); print (b[1] == "<" ? f < b[2] : f >= b[2]) ? "yes" : "**no**"}')
  [ "$reached" = yes ] || cost="$(awk -v name="## $5" '$0==name{on=1; next} /^## /{on=0} on && !NF && text{exit} on && NF{text=text sep $0; sep=" "} END{print text}' "$notes") [more](benchmarks-notes.md#$5)"
  echo "| $1 | $2 | $(told "$3" "$4") | $reached | $cost |"
}

queues() { # queues TOPICS EACH: a round of so many queues, loaded evenly, killed at the end, started again; sets rate and whole of their number
  local topics=$1 each=$2 n=$(($1 * $2))
  start "$work/queues"
  load --topics "$topics" --queues "$each" --duration "${seconds}s"
  rate[n]=$(figure PerSecond)
  keep rate-$n "${rate[n]}"; keep loaded-$n "$(mem)"
  stop KILL
  cold
  start "$work/queues"
  keep killed-$n "$ready"
  # Of the load and the start together, as if nothing was sent while it starts.
  whole[n]=$(awk -v r="${rate[n]}" -v s="$seconds" -v t="$ready" 'BEGIN{print r*s/(s+t)}')
  stop TERM
  rm -rf "$work/queues"
}

many_queues() { # many_queues ROUND: in every second one from the other end, so that what a machine does meanwhile favours nobody
  local n rate=() whole=()
  if [ $(($1 % 2)) = 1 ]; then
    queues 1 8; queues 10 100; queues 1000 100
  else
    queues 1000 100; queues 10 100; queues 1 8
  fi
  for n in 8 1000 100000; do
    keep ratio-$n "$(awk -v r="${rate[n]}" -v b="${rate[8]}" 'BEGIN{print r/b}')"
    keep whole-$n "$(awk -v r="${whole[n]}" -v b="${whole[8]}" 'BEGIN{print r/b}')"
  done
}

begun() { # begun HOW STORE: a start, and the memory when it has been idle
  start "$2"
  keep "ready-$1" "$ready"
  sleep "$idle"
  keep "idle-$1" "$(mem)"
}

starts() { # a round of starts with an empty store, and with a long log on 10,000 queues, which the first round makes
  local long=(--topics 100 --queues 100 --batch 16)
  begun empty "$work/empty"
  stop TERM; rm -rf "$work/empty"
  if [ ! -d "$work/long" ]; then
    start "$work/long"
    load "${long[@]}" --duration 5s
    while [ "$(size)" -lt "$mib" ]; do load --existing "${long[@]}" --duration 5s; done
    stop TERM
  fi
  cold
  begun stopped "$work/long"
  load --existing "${long[@]}" --duration 5s
  stop KILL
  cold
  begun killed "$work/long"
  keep size "$(size)"
  stop TERM
}
size() { du -sm "$work/long/commitlog" | cut -f1; }

for round in $(seq "$rounds"); do
  echo "scale: round $round of $rounds" >&2
  many_queues "$round"
  starts
done

{
  cat <<M
# Many queues, a long log

\`make scale ROUNDS=$rounds\` (\`ROUNDS=$rounds${IDLE:+ IDLE=$idle} interop/scale.sh $seconds $mib\`) made this page at commit $(git -C "$root" describe --always --dirty 2>/dev/null), $(date -u +%F), in $(((SECONDS - began) / 60)) minutes.
ringmq alone, SYNC_FLUSH, bodies of 1024 bytes; generator and broker share one machine of $(nproc) processors, Linux $(uname -r). Every figure is the
median of $rounds rounds; in brackets is from where to where they reach. A round measures all that is on this page, one after the other.
$filled

## Queues

A closed loop of 4 connections with 64 sends in flight on each, spread evenly over all queues for $seconds s; then SIGKILL, and a start$([ "$(id -u)" = 0 ] && echo " with an empty page cache").
Messages/s is the rate while it was loaded; the first ratio is that rate divided by the first row's of the same round. The start is from exec to answering.
The second ratio counts the start: messages sent in $seconds s divided by $seconds s and the start together, and that divided by the same of the first row. It is how a long
start weighs in $seconds s; of a longer run the start is a smaller part, so that this ratio then comes closer to the first. Every second round has the rows
in the other order.

| queues | messages/s | ratio of messages/s | start after SIGKILL, s | ratio with the start counted | resident MiB under load |
| --- | --- | --- | --- | --- | --- |
M
  for n in 8 1000 100000; do
    echo "| $n | $(told rate-$n %.0f) | $(told ratio-$n %.2f) | $(told killed-$n %.3f) | $(told whole-$n %.2f) | $(told loaded-$n %.0f) |"
  done
  cat <<M

## From exec to answering

The log is made once and grows by what 5 s of load write in each round, ahead of the SIGKILL: it had $(sorted size | tail -1) MiB at the end.

| store | how | seconds | resident MiB $idle s later |
| --- | --- | --- | --- |
| empty | first start | $(told ready-empty %.3f) | $(told idle-empty %.0f) |
| $mib MiB and more, 10,000 queues | after a stop in order | $(told ready-stopped %.3f) | $(told idle-stopped %.0f) |
| $mib MiB and more, 10,000 queues | after SIGKILL under load | $(told ready-killed %.3f) | $(told idle-killed %.0f) |

## Bars

Judged by the medians.

| bar | to reach | figure | reached | what the remaining cost is |
| --- | --- | --- | --- | --- |
M
  for n in 1000 100000; do bar "$n queues, messages/s beside 8, the start after SIGKILL counted" ">= 0.8" whole-$n %.2f queues; done
  bar "resident memory with 100000 queues, under load" "< 400 MiB" loaded-100000 %.0f memory
  bar "resident memory, idle for $idle s after a start with an empty store" "< 40 MiB" idle-empty %.0f memory
  bar "exec to ready with $mib MiB of log and 10,000 queues, after a stop in order" "< 1 s" ready-stopped %.3f start
  bar "the same after SIGKILL under load" "< 3 s" ready-killed %.3f start
} >"$work/page.md"
cp "$work/page.md" "$doc"
cat "$doc"
