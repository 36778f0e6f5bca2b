#!/usr/bin/env bash
# Loads bin/ringmq and the stock broker (heap 4 GiB) on this machine in turns, with stock's own benchmark producer (64 threads) and
# with interop/load (4 connections, 64 in flight on each, JSON headers), 1 KiB bodies, and prints messages a second, broker CPU per
# message, resident memory and time to ready, and their medians.
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
(cd "$root" && go build -o "$work/load" ./interop/load) || exit 1

cpu() { awk -v hz="$(getconf CLK_TCK)" '{printf "%.2f", ($14+$15)/hz}' "/proc/$1/stat"; }
rss() { awk '/VmRSS/{print int($2/1024)}' "/proc/$1/status"; }

line() { # line NAME MSG/S CPU-US PID: into $work/results
  printf '%-26s %8.0f msg/s  %7.2f broker CPU us/msg  %5d MiB resident\n' "$1" "$2" "$3" "$(rss "$4")" | tee -a "$work/results"
}

java_load() { # java_load NAME NAMESRV-PORT PID: stock's benchmark producer
  local before after out=$work/bench.out
  before=$(cpu "$3")
  timeout "$seconds" "$rmq" bench Producer -t BenchTopic -w 64 -s 1024 -n "127.0.0.1:$2" >"$out" 2>&1
  after=$(cpu "$3")
  # The first printed window is the client's own warming up.
  local tps sent
  tps=$(sed -n 's/.*Send TPS: *\([0-9]*\).*/\1/p' "$out" | tail -n +2 | sort -n | awk '{a[NR]=$1} END{print NR ? a[int((NR+1)/2)] : 0}')
  sent=$(sed -n 's/.*Send TPS: *\([0-9]*\).*/\1/p' "$out" | awk '{s+=$1*10} END{print s+0}')
  line "$1" "$tps" "$(awk -v s="$sent" -v c="$before" -v d="$after" 'BEGIN{print s ? (d-c)*1e6/s : 0}')" "$3"
}

window_load() { # window_load NAME BROKER-PORT PID: interop/load; 10 s warm a JVM a second time
  local out
  out=$("$work/load" -addr "127.0.0.1:$2" -pid "$3" -warm 10s -time "${seconds}s") || return
  echo "  $1: $out"
  # shellcheck disable=SC2086
  set -- "$1" "$3" $out
  line "$1" "$3" "$5" "$2"
}

both() { # both NAME NAMESRV-PORT BROKER-PORT PID
  java_load "$1/producer" "$2" "$4"
  window_load "$1/window" "$3" "$4"
}

ours() { # ours FLUSH
  local t0 t1
  t0=$(date +%s%N); ours_start "$1" flushDiskType="$1" mappedFileSizeCommitLog=1073741824; t1=$(date +%s%N)
  [ -n "${told:-}" ] || { echo "ringmq is ready after $(((t1 - t0) / 1000000)) ms"; told=1; }
  both "ours-$1" $ns_port $broker_port "$(cat "$work/ours.pid")"; ours_stop; rm -rf "$work/ours-$1"
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
  both "stock-$1" $stock_ns $stock_port "$(cat "$RMQ_HOME/run/interop-broker.pid")"; stock_stop; rm -rf "$work/stock-$1"
}

for _ in $(seq "$rounds"); do
  ours SYNC_FLUSH; stock ASYNC_FLUSH; stock SYNC_FLUSH
done
echo "medians:"
for n in {ours-SYNC_FLUSH,stock-ASYNC_FLUSH,stock-SYNC_FLUSH}/{producer,window}; do
  for col in 2 4 8; do
    awk -v n="$n" -v c=$col '$1==n{print $c}' "$work/results" | sort -n | awk '{a[NR]=$1} END{printf "%s ", a[int((NR+1)/2)]}'
  done | awk -v n="$n" '{printf "%-26s %8d msg/s %8.2f broker CPU us/msg %6d MiB\n", n, $1, $2, $3; }'
done
