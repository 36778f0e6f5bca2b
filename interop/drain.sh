#!/usr/bin/env bash
# Does to one of two brokers what docs/OPERATIONS.md says of a planned stop, while a stock producer sends and a stock consumer reads: it is drained,
# stopped, started again, then drained and taken into use again without a stop. No send may fail, nothing may be lost, and nothing come twice.
#   interop/drain.sh          interop/java/Drain.java is both clients, and calls this script with the name of a step when it is time for it
# Needs Java 17 and Maven for the stock jars (about 90 MB, fetched once into ~/.cache/stock-rmq): without them it is skipped, or failed with
# MUST=1. Less than 90 s. Ends with "drain: N passed, M failed, K skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${RINGMQ:-$(dirname "$here")/bin/ringmq}
rmq=$here/stock/rmq
jars=${RMQ_HOME:-$HOME/.cache/stock-rmq}
step=${1:-}
[ -n "$step" ] || work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-drain-XXXXXX") || exit 1
. "$here/must.sh"
. "$here/lib.sh"
# A step has these of the run that it belongs to.
export work ns_port broker_port stock_port shift_ports bin
ns=127.0.0.1:$ns_port
poll=3000   # milliseconds between two looks of a client at the route
settle=6s   # in which every client has looked

port_of() { case $1 in broker-a) echo "$broker_port" ;; broker-b) echo "$stock_port" ;; esac; }
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
ended() { # ended PID SECONDS: waits for it
  local i
  for i in $(seq $(($2 * 10))); do gone "$1" && return; sleep 0.1; done
  return 1
}
run() { # run NAME COMMAND...: beside us, its output in $work/NAME.log
  local name=$1; shift
  "$@" >>"$work/$name.log" 2>&1 8>&- &
  echo $! >"$work/$name.pid"
}
start() { # start BROKER: until it is ready
  local port i
  port=$(port_of "$1")
  run "$1" "$bin" broker -n "$ns" --set brokerName="$1" --set brokerIP1=127.0.0.1 --set brokerIP2=127.0.0.1 --set bindAddress=127.0.0.1 --set listenPort="$port" \
    --set adminHttpAddress=127.0.0.1:$((port + 4)) --set storePathRootDir="$work/$1" --set mappedFileSizeCommitLog=67108864 --set maxIndexNum=200000 --set maxHashSlotNum=50000
  for i in $(seq 300); do
    "$bin" health "127.0.0.1:$((port + 4))" >"$work/$1.health" 2>&1 && return
    gone "$(cat "$work/$1.pid")" && break
    sleep 0.1
  done
  tail -n 5 "$work/$1.health" "$work/$1.log" >&2
  return 1
}
stop() { # stop BROKER: in order
  local pid
  pid=$(cat "$work/$1.pid")
  kill -TERM "$pid" && ended "$pid" 30 && rm "$work/$1.pid" && grep '^stopped in order' "$work/$1.log" && return
  tail -n 5 "$work/$1.log" >&2
  return 1
}
case $step in
  '') ;;
  drain) exec "$bin" admin drain -n "$ns" --brokerName broker-a --settle "$settle" --timeout 90s ;;
  undrain) exec "$bin" admin undrain -n "$ns" --brokerName broker-a ;;
  stop | start) "$step" broker-a; exit ;;
  *) echo "drain: no step named $step" >&2; exit 2 ;;
esac

finish() {
  local f
  for f in "$work"/*.pid; do [ ! -f "$f" ] || kill "$(cat "$f")" 2>/dev/null; done
  for f in "$work"/*.pid; do [ ! -f "$f" ] || ended "$(cat "$f")" 15 || kill -9 "$(cat "$f")" 2>/dev/null; done
  rm -f "${TMPDIR:-/tmp}/ringmq-interop-$shift_ports.lock"
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ -x "$bin" ] || { echo "drain: no $bin; make build makes it" >&2; exit 1; }
if ! { command -v java && command -v javac && RMQ_HOME=$jars "$rmq" install; } >"$work/jars" 2>&1; then
  unshown drain/all "no stock client: there is no JDK, or its jars cannot be fetched: $(tail -n 1 "$work/jars")"
  summary drain
  exit
fi
classpath=$(RMQ_HOME=$jars "$rmq" classpath)
mkdir "$work/classes"
javac -nowarn -Xlint:-deprecation -d "$work/classes" -cp "$classpath" "$here"/java/{Drain,Env}.java 2>&1 | grep -v '^Note:' >&2
[ -f "$work/classes/Drain.class" ] || { echo "drain: the Java program does not compile" >&2; exit 1; }

run namesrv "$bin" namesrv --set bindAddress=127.0.0.1 --set listenPort="$ns_port" --set kvConfigPath="$work/kv.json"
if ! { wait_tcp "$ns_port" 300 "$(cat "$work/namesrv.pid")" && start broker-a && start broker-b; }; then
  fail "drain/all: the servers did not start"
  summary drain
  exit
fi
timeout 300 java -Xmx256m -Dnamesrv="$ns" -Dbrokers="127.0.0.1:$broker_port,127.0.0.1:$stock_port" -Dcontrol="$here/drain.sh" -Dpoll="$poll" \
  -Drocketmq.client.rebalance.waitInterval="$poll" -Drocketmq.client.logRoot="$work/clientlog" -cp "$work/classes:$classpath" Drain 2>"$work/java.err" |
  tee "$work/lines" | grep --line-buffered -E '^(PASS|FAIL) '
count "$work/lines"
tail -n 1 "$work/lines" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' || fail "drain/all: it ended early: $(tail -n 3 "$work/java.err" | tr '\n' ' ')"
[ "$failed" -eq 0 ] || tail -n 20 "$work/lines" "$work/java.err" "$work"/broker-?.log >&2
summary drain
