#!/usr/bin/env bash
# Measures what a pair must reach, beside stock and beside our single broker, in one run on this machine, into a page of Markdown.
#   interop/replication/bars.sh [ROUNDS [SECONDS [GIB]]]     3 rounds of 10 s and 8 GiB unless told otherwise
# PARTS="throughput cpu catchup deaf" chooses, PORT is the first of 100 ports, RATE the sends a second beside a slave that catches up or a deaf peer,
# ENGINE the disk engine of all brokers of ours (else the one that a first start takes), TMPDIR where the stores lie (twice GIB and a little more,
# 25 GiB at least), DOC the page, docs/replication-bars.md. It needs Java 17 and Maven, and memory for two heaps of 4 GiB. Ends with 1 when a bar is
# missed, with the page written.
set -euo pipefail
rounds=${1:-3} seconds=${2:-10} size=${3:-8} began=$SECONDS
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
all="throughput cpu catchup deaf"
parts=${PARTS:-$all} rate=${RATE:-10000} doc=${DOC:-docs/replication-bars.md}
bin=$(realpath "${RINGMQ:-bin/ringmq}")
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-bars-XXXXXX")
trap 'rm -rf "$work"' EXIT
load=$(cut -d' ' -f1-2 /proc/loadavg)
busy() { awk -v hz="$(getconf CLK_TCK)" '$1=="cpu"{printf "%.2f", ($2+$3+$4+$7+$8+$9)/hz}' /proc/stat; } # seconds of all processors
own() { # own FILE: what this script's children have taken of them, those of a subshell not counted
  times >"$work/times"
  awk 'NR==2{for (i=1; i<=2; i++) {split($i, t, "m"); sum += t[1]*60 + t[2]}; printf "%.2f", sum}' "$work/times" >"$1"
}

interop/stock/rmq install
go build -o "$work/replication" ./interop/replication
# The same binary, but for one constant: no piece of the log is large enough to go from the file to the socket by itself.
sed 's/^const sendFrom = .*/const sendFrom = 1 << 40/' replica/sender.go >"$work/sender.go"
cmp -s replica/sender.go "$work/sender.go" && { echo "bars: replica/sender.go has no sendFrom to change" >&2; exit 1; }
printf '{"Replace":{"%s":"%s"}}' "$root/replica/sender.go" "$work/sender.go" >"$work/overlay.json"
CGO_ENABLED=0 go build -overlay "$work/overlay.json" -trimpath -tags uring -ldflags=-checklinkname=0 -o "$work/copier" ./cmd/ringmq
mkdir "$work/probe"
probe=$("$bin" tune probe-disk --store "$work/probe" | awk -F'  +' '/^fdatasync, by/ {printf "%s%s: p50 %s us, p99 %s us", sep, $1, $2, $3; sep="; "}') || probe=
rm -rf "$work/probe"

. interop/filled.sh
fill_memory "$bin"
before=$(busy) from=$SECONDS missed=0
own "$work/own.before"
TMPDIR=$work "$work/replication" -bars "$parts" -bin "$bin" -copier "$work/copier" -rounds "$rounds" -seconds "$seconds" -gib "$size" -rate "$rate" \
  -engine "${ENGINE:-}" -port "${PORT:-24400}" >"$work/table" || missed=$?
[ -s "$work/table" ] || exit 1
own "$work/own.after"
others=$(awk -v b="$(busy)" -v a="$before" -v m="$(cat "$work/own.after")" -v o="$(cat "$work/own.before")" -v s=$((SECONDS - from)) -v n="$(nproc)" \
  'BEGIN{x = (b-a-(m-o))/s; printf "%.2f of %d", (x > 0 ? x : 0), n}')
read -r source fs < <(findmnt -no SOURCE,FSTYPE -T "$work")
cat >"$work/page.md" <<M
# What a pair reaches

\`make replication-bars ROUNDS=$rounds SECONDS=$seconds GIB=$size$([ "$parts" = "$all" ] || echo " PARTS=\"$parts\"")$([ "$rate" = 10000 ] || echo " RATE=$rate")${ENGINE:+ ENGINE=$ENGINE}\` made this page at commit $(git describe --always --dirty 2>/dev/null), $(date -u +%F); it took
$(((SECONDS - began + 30) / 60)) min. How a pair is set up and what it does is in [REPLICATION.md](REPLICATION.md).

Master, slave, name server and generator share this one machine, and both copies of the log its disk: what the slave takes the single broker has, and on a
machine each a pair would come nearer to it. Ours and stock's pair, and the single broker, are set up alike: the slave dials its master with nothing in
between; names, ports, roles, \`flushDiskType\`, \`inSyncReplicas=2\` and \`cleanFileForciblyEnable=false\` are set, and everything else is as it comes
(segments of 1 GiB, \`slaveTimeout\`, heartbeats). Every stock broker has a heap of 4 GiB and was warmed by sends for 20 s before its sends were counted.

- machine: $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(awk '/^MemTotal/{printf "%.1f GiB", $2/1048576}' /proc/meminfo), $(uname -sr); stores on $fs on ${source:-unknown}
- a synced write of 16 KiB there before anything ran (\`ringmq tune probe-disk\`): ${probe:-not measured}
- $filled
- load average of one and of five minutes before it began: $load; others took $others processors meanwhile, the kernel's own threads included

## Bars

Figures are medians of $rounds $([ "$rounds" = 1 ] && echo round || echo rounds), with the least and the most in brackets; a ratio is that of the medians. Sends: in turns, 4 connections with 64
requests in flight on each, bodies of 1024 bytes, for $seconds s a round. CPU per GiB: an empty slave gets 0.75 GiB while nothing else is going on, and what the
master takes for nothing is not counted. Catching up: a log of $size GiB, to a new slave each round, beside an open loop of sends.

$(cat "$work/table")
M
cp "$work/page.md" "$doc"
echo "bars: wrote $doc"
exit "$missed"
