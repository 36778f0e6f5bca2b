#!/usr/bin/env bash
# Runs the stock clients and tools against bin/ringmq and prints "interop: N passed, N failed, N skipped" at the end. What needs root is skipped
# without it, or fails with MUST=1; lag's surge, which takes ten minutes, is always skipped but with LAG_SURGE=1, as make lag-check has it.
#   interop/run.sh [java] [go] [admin] [cli] [lag] [store] [strangers] [reads] [doctor]     all parts by default
# Needs Java 17 and Maven for the stock jars (about 90 MB, fetched once into ~/.cache/stock-rmq).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
bin=${RINGMQ:-$root/bin/ringmq}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-interop-XXXXXX")
rmq=$here/stock/rmq
jars=${RMQ_HOME:-$HOME/.cache/stock-rmq}
parts=${*:-java go admin cli lag store strangers reads doctor}

. "$here/must.sh"
. "$here/lib.sh"
. "$here/strangers.sh"
. "$here/moved.sh"
. "$here/reads.sh"
. "$here/doctor.sh"
. "$here/quick.sh"
exec 9>&2
die() { echo "interop: $*" >&9; exit 1; }
cleanup() {
  local p
  ours_stop; stock_stop
  for p in $(jobs -p); do kill "$p" 2>/dev/null; done
  rm -f "${TMPDIR:-/tmp}/ringmq-interop-$shift_ports.lock"
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "interop: work in $work, ports $ns_port, $broker_port, $stock_ns, $stock_port"
RMQ_HOME=$jars "$rmq" install || exit 1
# Stock servers of this run keep their pids, logs and data here: another run's are not ours to stop.
export RMQ_HOME=$work/stock-home
mkdir -p "$RMQ_HOME/run" && cp -r "$jars/conf" "$RMQ_HOME/" && ln -s "$jars/lib" "$RMQ_HOME/lib" || exit 1
classpath=$("$rmq" classpath)
mkdir -p "$work/classes"
javac -nowarn -Xlint:-deprecation -d "$work/classes" -cp "$classpath" "$here"/java/*.java 2>&1 | grep -v '^Note:'
[ -f "$work/classes/Suite.class" ] || { echo "interop: the Java programs do not compile"; exit 1; }

tally() { # tally FILE PART: adds the lines of a part
  local before=$((passed + failed + skipped))
  count "$1"
  [ $((passed + failed + skipped)) -gt "$before" ] || { fail "$2: it ended without a result"; tail -20 "$1"; }
}
whole() { # whole FILE NAME: a program that ended before its summary has not run all of its cases
  tail -1 "$1" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' || echo "FAIL $2/all: it ended early"
}
java_run() { # java_run CLASS ARGS...
  java -Xmx512m -Dnamesrv=127.0.0.1:$ns_port -Dbroker=127.0.0.1:$broker_port -Dcontrol="$work/control" \
    -Drocketmq.client.logRoot="$work/clientlog" -cp "$work/classes:$classpath" "$@"
}

# Clients of the reference wait 20 or 30 s for their next look at a route or their share, and a loaded machine makes them miss their
# moment: what failed is tried once more, and said to be. So are whole parts, below.
suite() { # suite CASES...
  java_run Suite "$@" 2>>"$work/java.err"
}
part_java() {
  need_ours main; write_control
  timeout 600 bash -c "$(declare -f java_run suite); suite" >"$1"
  local early again
  early=$(whole "$1" java)
  again=$(sed -n 's,^FAIL java/\([^ ]*\).*,\1,p' "$1")
  if [ -n "$again" ]; then
    grep '^FAIL' "$1" | sed 's/^FAIL/once more:/'
    grep -v '^FAIL' "$1" >"$1.kept"
    timeout 300 bash -c "$(declare -f java_run suite); suite $(echo $again)" >"$1.again"
    early=$early$(whole "$1.again" java)
    cat "$1.kept" "$1.again" >"$1"
  fi
  [ -z "$early" ] || echo "$early" >>"$1"
  ours_stop
}
part_go() {
  (cd "$here/goclient" && go build -o "$work/goclient" .) || exit 1
  need_ours main; write_control
  env rocketmq.client.localOffsetStoreDir="$work/go-offsets" timeout 300 "$work/goclient" \
    -namesrv 127.0.0.1:$ns_port -broker 127.0.0.1:$broker_port -control "$work/control" >"$1" 2>"$work/go.err"
  whole "$1" go >"$1.early"
  cat "$1.early" >>"$1"
  ours_stop
}
diff_run() ( cd "$work" && exec timeout 300 java -Xmx512m -Drocketmq.client.logRoot="$work/clientlog" -cp "$work/classes:$classpath" AdminDiff "$@" )
part_admin() {
  local try
  for try in 1 2; do
    # Sizes and offsets are printed: without the checksum property records are as long as stock's.
    rm -rf "$work/ours-admin" "$work/stock-admin"
    need_ours admin enabledAppendPropCRC=false; need_stock admin
    diff_run run 127.0.0.1:$stock_ns 127.0.0.1:$stock_port "$work/admin.stock" 2>"$work/admin.err"
    diff_run run 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$work/admin.ours" 2>>"$work/admin.err"
    diff_run compare "$work/admin.stock" "$work/admin.ours" >"$1" 2>>"$work/admin.err"
    stock_stop; ours_stop
    grep -q '^FAIL' "$1" || break
    [ $try = 2 ] || echo "once more: $(grep -c '^FAIL' "$1") commands differ"
  done
}
# "ringmq admin" against one broker of ours: beside stock's mqadmin with the same words (AdminCli), and lag of stock's consumers (LagCases).
admin_run() { # admin_run CLASS NAME FILE [KEY=VALUE...]
  need_ours "$2" "${@:4}"
  (cd "$work" && exec timeout $((600 + 900 * ${LAG_SURGE:-0})) java -Xmx512m -Drocketmq.client.logRoot="$work/clientlog" -cp "$work/classes:$classpath" "$1" 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$bin" "$work/ours.log") >"$3" 2>"$work/$2.err"
  whole "$3" "$2" >"$3.early"
  cat "$3.early" >>"$3"
  ours_stop
}
part_cli() {
  admin_run AdminCli cli "$1"
  moved >>"$1"
  quick >>"$1"
}
part_lag() { admin_run LagCases lag "$1" lagAlarmMessages=15 lagAlarmHoldMs=0; } # LAG_SURGE=1: with the case that takes ten minutes
export here work classpath ns_port broker_port

run_part() { # run_part PART FILE
  case $1 in
    java | go | admin | cli | lag) "part_$1" "$2" ;;
    store) { store_exchange; store_recycled; } >"$2" 2>&1 ;;
    strangers | reads | doctor) "$1" >"$2" 2>&1 ;;
    *) echo "interop: no part named $1"; exit 2 ;;
  esac
}

for part in $parts; do
  log=$work/$part.log
  echo "== $part"
  run_part $part "$log"
  case $part in
    go | cli | lag | strangers | doctor) # java, admin and reads do that themselves; a store has no second chance
      if grep -q '^FAIL' "$log"; then
        grep '^FAIL' "$log" | sed 's/^FAIL/once more:/'
        rm -rf "$work"/ours-* "$work/stock-$part" "$work/doctor.in"
        run_part $part "$log"
      fi ;;
  esac
  if [ $part = admin ] || [ $part = cli ] || [ $part = reads ]; then cat "$log"; else grep -E '^(PASS|FAIL|SKIP)' "$log"; fi
  tally "$log" "$part"
done
summary interop
