#!/usr/bin/env bash
# Loads bin/ringmq and the stock broker (heap 4 GiB) on this machine with stock's own benchmark producer, in turns, and prints
# messages a second, broker CPU per message, resident memory and time to ready, and the ratios.
#   interop/versus.sh [ROUNDS] [SECONDS]     3 rounds of 25 s by default
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
bin=$root/bin/ringmq
rounds=${1:-3} seconds=${2:-25}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-versus-XXXXXX")
rmq=$here/stock/rmq
export RMQ_HOME=${RMQ_HOME:-$HOME/.cache/stock-rmq}
. "$here/lib.sh"
trap 'ours_stop; stock_stop; rm -rf "$work"' EXIT
"$rmq" install

cpu() { awk -v hz="$(getconf CLK_TCK)" '{printf "%.2f", ($14+$15)/hz}' "/proc/$1/stat"; }
rss() { awk '/VmRSS/{print int($2/1024)}' "/proc/$1/status"; }

load() { # load NAME NAMESRV-PORT PID: one run of the benchmark producer; a line of results into $work/results
  local before after tps out=$work/bench.out
  before=$(cpu "$3")
  timeout "$seconds" "$rmq" bench Producer -t BenchTopic -w 64 -s 1024 -n "127.0.0.1:$2" >"$out" 2>&1
  after=$(cpu "$3")
  # The first printed window is the client's own warming up.
  sed -n 's/.*Send TPS: *\([0-9]*\).*/\1/p' "$out" | tail -n +2 >"$work/tps"
  tps=$(sort -n "$work/tps" | awk '{a[NR]=$1} END{print NR ? a[int((NR+1)/2)] : 0}')
  sent=$(sed -n 's/.*Send TPS: *\([0-9]*\).*/\1/p' "$out" | awk '{s+=$1*10} END{print s+0}')
  awk -v n="$1" -v tps="$tps" -v sent="$sent" -v c="$before" -v d="$after" -v m="$(rss "$3")" \
    'BEGIN{printf "%-12s %8d msg/s  %6.2f broker CPU us/msg  %5d MiB resident\n", n, tps, sent ? (d-c)*1e6/sent : 0, m}' | tee -a "$work/results"
}

ours() { # ours FLUSH
  local t0 t1
  t0=$(date +%s%N); ours_start "$1" flushDiskType="$1" mappedFileSizeCommitLog=1073741824; t1=$(date +%s%N)
  [ -n "${told:-}" ] || { echo "ringmq is ready after $(((t1 - t0) / 1000000)) ms"; told=1; }
  load "ours-$1" $ns_port "$(cat "$work/ours.pid")"; ours_stop; rm -rf "$work/ours-$1"
}
stock() { # stock FLUSH
  stock_conf "$work/stock-$1"
  sed -i "s/^mappedFileSizeCommitLog.*/mappedFileSizeCommitLog=1073741824/" "$work/stock/broker.conf"
  echo "flushDiskType=$1" >>"$work/stock/broker.conf"
  export NAMESRV=127.0.0.1:$stock_ns
  NAME=interop-ns HEAP="-Xms256m -Xmx256m" "$rmq" start namesrv "$work/stock/namesrv.conf" >/dev/null
  NAME=interop-broker HEAP="-Xms4g -Xmx4g" "$rmq" start broker "$work/stock/broker.conf" >/dev/null
  # A cold JVM looks many times worse than it is: one run to warm it, not counted.
  timeout 20 "$rmq" bench Producer -t BenchTopic -w 64 -s 1024 -n "127.0.0.1:$stock_ns" >/dev/null 2>&1
  load "stock-$1" $stock_ns "$(cat "$RMQ_HOME/run/interop-broker.pid")"; stock_stop; rm -rf "$work/stock-$1"
}

for _ in $(seq "$rounds"); do
  ours SYNC_FLUSH; stock ASYNC_FLUSH; stock SYNC_FLUSH
done
echo "medians:"
for n in ours-SYNC_FLUSH stock-ASYNC_FLUSH stock-SYNC_FLUSH; do
  for col in 2 4 8; do
    awk -v n="$n" -v c=$col '$1==n{print $c}' "$work/results" | sort -n | awk '{a[NR]=$1} END{printf "%s ", a[int((NR+1)/2)]}'
  done | awk -v n="$n" '{printf "%-20s %8d msg/s %8.2f CPU us/msg %6d MiB\n", n, $1, $2, $3; }'
done
