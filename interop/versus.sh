#!/usr/bin/env bash
# Measures bin/ringmq beside the stock broker (heap 4 GiB) on this machine and writes docs/benchmarks.md.
#   interop/versus.sh [ROUNDS [SECONDS [FOLDER [ROW...]]]]     5 rounds of 10 s, every row, JSON and HTML into ./benchmarks
# Rows that write tens of GiB have rounds of their own, LONG_ROUNDS (3), with empty stores for each.
# ours runs SYNC_FLUSH, as it does by default; stock runs ASYNC_FLUSH, its default, and then SYNC_FLUSH (FLUSH="ASYNC SYNC"). Both run
# at the same time and are loaded in turns. ours keeps the disk engine that its first start takes (ENGINE=io_uring or pwrite: that one).
# DOC is the Markdown file to write. It needs Java 17 and Maven, and 45 GiB of disk.
set -uo pipefail
rounds=${1:-5} seconds=${2:-10} folder=${3:-benchmarks} long_rounds=${LONG_ROUNDS:-3}
only=" ${*:4} "
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
bin=${RINGMQ:-$root/bin/ringmq}
doc=${DOC:-$root/docs/benchmarks.md}
rmq=$here/stock/rmq
jars=${RMQ_HOME:-$HOME/.cache/stock-rmq}
warm=20 warm_pulls=10 warm_both=5 # seconds; a cold JVM looks many times worse than it is, at sends, at pulls and at held ones
full=$((20 * 1024))               # MiB that the stores may hold before both brokers start afresh
modes=${FLUSH:-ASYNC SYNC} engine=${ENGINE:-} began=$SECONDS peak_mib=0 fresh='' long_rows='' long_took=0
for mode in $modes; do
  case $mode in ASYNC | SYNC) ;; *) echo "versus: FLUSH=\"$modes\": ASYNC, SYNC or both" >&2; exit 2 ;; esac
done

# name|what it is|how it runs|flags. How: bench for `ringmq bench versus`, half for that at half of stock's peak, long for LONG_ROUNDS rounds
# of which each has empty stores, cold for the same as root, who may empty the page cache, java and javaconsume for stock's own benchmark
# clients. What a row is to reach stands in bars.txt, by its name and stock's mode.
rows='
java64|stock'"'"'s Java Producer, 64 threads|java|
javaconsume|stock'"'"'s Java Consumer, messages that were just sent|javaconsume|
4x64|4 connections, 64 in flight on each|bench|--connections 4 --window 64
64x1|64 connections, 1 in flight on each|bench|--connections 64 --window 1
1x1|1 connection, 1 in flight|bench|--connections 1 --window 1 --duration 15s
batch16|4 connections, 64 batches of 16 in flight|bench|--connections 4 --window 64 --batch 16
batch60|4 connections, 64 batches of 16 in flight, for 60 s|long|--connections 4 --window 64 --batch 16 --duration 60s
open20k|open loop, 20,000 messages/s|bench|--rate 20000 --connections 4 --window 1024
half|open loop at half of stock'"'"'s peak|half|--connections 4 --window 1024
hotpull|the 10,000 newest messages of 8 queues, read 32 a pull again and again|bench|--workload consume --fill --fill-messages 10000 --again --pull-messages 32 --queues 8 --topic HotPull
warmpull|1,000,000 messages that were just sent, read 32 a pull from 8 queues|bench|--workload consume --fill --fill-messages 1000000 --drain --pull-messages 32 --queues 8 --topic WarmPull
colddrain|8 GiB of backlog, read from the disk beside 20,000 sends/s|cold|--workload catchup --backlog 8GiB --drop-cache --rate 20000 --connections 4 --window 1024 --topic Cold
endtoend10k|end to end at 10,000 messages/s|bench|--workload endtoend --rate 10000 --topic EndToEnd
'

rows_asked=${*:4}
for row in $rows_asked; do
  grep -q "^$row|" <<<"$rows" || { echo "versus: no row $row; there are $(printf '%s' "$rows" | sed -n 's/|.*//p' | paste -sd' ')" >&2; exit 2; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-versus-XXXXXX") || exit 1
RMQ_HOME=$jars "$rmq" install || exit 1
# Its clients too, before anything is measured; called for help it ends with 255.
RMQ_HOME=$jars "$rmq" bench Producer -h >/dev/null 2>&1
[ -f "$jars/lib-bench/.done" ] || { echo "versus: stock's benchmark clients could not be installed" >&2; exit 1; }
# A home of its own, so that its logs and pids are not those of another stock broker that runs here.
export RMQ_HOME=$work/stock-home RMQ_DATA=$work/stock-data
mkdir -p "$RMQ_HOME/run" "$folder" && folder=$(cd "$folder" && pwd)
cp -r "$jars/conf" "$RMQ_HOME/"; ln -s "$jars/lib" "$jars/lib-bench" "$RMQ_HOME/"
. "$here/lib.sh"
. "$here/filled.sh"
fill_memory "$bin"
ns_port=${PORTS:-22100}; broker_port=$((ns_port + 11)) stock_ns=$((ns_port + 20)) stock_port=$((ns_port + 31))

cleanup() {
  local f
  [ -n "${producer:-}" ] && kill "$producer" 2>/dev/null
  for f in "$work"/ours.pid "$RMQ_HOME"/run/*.pid; do [ -f "$f" ] && kill "$(cat "$f")" 2>/dev/null; done
  ours_stop; stock_stop
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
# Should this shell be killed so that no trap runs, another one ends what it started.
setsid bash -c 'tail --pid="$1" -f /dev/null; for f in "$2"/ours.pid "$2"/producer.pid "$2"/stock-home/run/*.pid; do
  [ -f "$f" ] && kill -9 "$(cat "$f")"; done; rm -rf "$2"' watch $$ "$work" >/dev/null 2>&1 </dev/null &

start_both() { # start_both ASYNC|SYNC: with empty stores; the JVM is warmed. Sets fresh
  local big="mappedFileSizeCommitLog=1073741824 maxHashSlotNum=5000000 maxIndexNum=20000000"
  # shellcheck disable=SC2086
  ours_start bench flushDiskType=SYNC_FLUSH ${engine:+diskEngine=$engine} $big || wait_tcp $broker_port 300 || { tail -5 "$work/ours.log" >&2; exit 1; }
  # What one start measures and takes, all others keep: rows of one page are of one engine.
  [ -n "$engine" ] || engine=$(awk '/^disk engine/ {print $3}' "$work/ours.log" | tail -1)
  stock_conf "$work/stock-bench"
  printf '%s\n' $big "flushDiskType=$1_FLUSH" >>"$work/stock/broker.conf"
  export NAMESRV=127.0.0.1:$stock_ns
  NAME=interop-ns HEAP="-Xms256m -Xmx256m" "$rmq" start namesrv "$work/stock/namesrv.conf" >/dev/null || wait_tcp $stock_ns 600 || exit 1
  NAME=interop-broker HEAP="-Xms4g -Xmx4g" "$rmq" start broker "$work/stock/broker.conf" >/dev/null || wait_tcp $stock_port 600 || exit 1
  local stock=(-b "127.0.0.1:$stock_port" --topic Warm --warm-up 0s)
  "$bin" bench produce "${stock[@]}" --duration ${warm}s >/dev/null &&
    "$bin" bench consume "${stock[@]}" --fill --fill-messages 10000 --again --duration ${warm_pulls}s >/dev/null &&
    "$bin" bench endtoend "${stock[@]}" --rate 5000 --duration ${warm_both}s >/dev/null || exit 1
  memory_full
  fresh=1
}

stop_both() {
  ours_stop; stock_stop
  rm -rf "$work"/ours-bench "$work"/stock-bench "$RMQ_DATA"
}

run_bench() { # run_bench FILE TITLE FLAGS...: in turns by the generator itself
  local file=$1 title=$2 time=(--duration "${seconds}s"); shift 2
  # Only one duration, and in the command that is printed the one that was in force.
  [[ " $* " != *" --duration "* && " $* " != *" --drain "* ]] || time=()
  "$bin" bench versus "ours=127.0.0.1:$broker_port,pid=$(cat "$work/ours.pid")" "stock=127.0.0.1:$stock_port,pid=$(cat "$RMQ_HOME/run/interop-broker.pid")" \
    --rounds "$rounds" "${time[@]}" --title "$title" --json "$file" "$@" \
    --command "ringmq bench versus ours=HOST:PORT,pid=auto stock=HOST:PORT,pid=auto --rounds $rounds${time[*]:+ ${time[*]}} $*" || exit 1
}

# run_long FILE TITLE FLAGS...: the generator's reports of LONG_ROUNDS rounds, put together. Each begins with empty stores, so that the
# rounds are alike and the disk holds one at a time; who comes first changes, and nobody has to write what the other left in memory.
run_long() {
  local file=$1 title=$2 load=produce flags=() time=(--duration "${seconds}s") since=$SECONDS i side order at; shift 2
  while [ $# -gt 0 ]; do
    case $1 in --workload) load=$2; shift ;; --duration) time=(--duration "$2"); shift ;; *) flags+=("$1") ;; esac
    shift
  done
  rm -f "$work/ours.json" "$work/stock.json"
  for i in $(seq "$long_rounds"); do
    [ -n "$fresh" ] || { stop_both; start_both "$flush"; }
    fresh='' order="ours stock"
    [ $((i % 2)) = 1 ] || order="stock ours"
    for side in $order; do
      at=(-b "127.0.0.1:$broker_port" --pid "$(cat "$work/ours.pid")")
      [ $side = ours ] || at=(-b "127.0.0.1:$stock_port" --pid "$(cat "$RMQ_HOME/run/interop-broker.pid")")
      echo "== round $i of $long_rounds, $side"
      sync -f "$work"
      "$bin" bench "$load" "${at[@]}" --name $side "${time[@]}" "${flags[@]}" -o json >>"$work/$side.json" || exit 1
    done
    note_disk
  done
  "$bin" bench compare --in-turns --title "$title" --json "$file" --command "ringmq bench $load -b HOST:PORT --pid auto ${time[*]} ${flags[*]}" \
    --note "Each round began with empty stores and a JVM that was warmed anew; ours came first, in every second round stock." "$work/ours.json" "$work/stock.json" || exit 1
  long_rows+="${long_rows:+, }$(basename "$file" .json)" long_took=$((long_took + SECONDS - since))
}

run_cold() {
  [ "$(id -u)" = 0 ] || { missing "$2: it needs root, to empty the page cache"; return 1; }
  run_long "$@"
}

run_half() { # run_half FILE TITLE FLAGS...: at half of what a closed loop of 4 x 64 gets from stock now
  local peak
  peak=$("$bin" bench produce -b 127.0.0.1:$stock_port --topic Peak --duration 8s -o json | sed -n 's/^ *"PerSecond": *\([0-9]*\).*/\1/p' | head -1)
  [ "${peak:-0}" -gt 0 ] || { echo "versus: stock's peak could not be measured" >&2; exit 1; }
  run_bench "$1" "${2/half/half ($((peak / 2))/s)}" --rate $((peak / 2)) "${@:3}"
}

cpu() { awk -v hz="$(getconf CLK_TCK)" '{printf "%.2f", ($14+$15)/hz}' "/proc/$1/stat"; }
bytes() { awk -v l="$2:" '$1==l{print $2*1024}' "/proc/$1/status"; } # bytes PID VmRSS|RssAnon
missing() { echo "versus: left out: $1" >&2; not_measured+=(--missing "$1"); }

# machine_cpu: processor seconds of the whole machine that were not idle, as of all its processors together.
machine_cpu() { awk -v hz="$(getconf CLK_TCK)" '$1=="cpu"{printf "%.2f", ($2+$3+$4+$7+$8+$9)/hz}' /proc/stat; }

# java_report CLASS NAME NAMESRV-PORT BROKER-PID ARGS...: a report as `ringmq bench` writes it, from what stock's client prints every 10 s.
# The first of its windows is its own warming up. It sets total to all messages, those of that window included.
java_report() {
  local class=$1 name=$2 port=$3 pid=$4 size=1024 windows=$(((seconds + 9) / 10)) n=-1 sum=0 failed=0 before=0 slowest=0 mean=0 line client
  local c0=0 g0=0 m0=0 c1 g1 m1 want
  shift 4
  case $class in
    Producer) want='Send TPS: *([0-9]+).*Max RT[^0-9]*([0-9]+).*Average RT[^0-9]*([0-9.]+).*Send Failed: *([0-9]+).*Response Failed: *([0-9]+)' ;;
    Consumer) want='^TPS: *([0-9]+) +FAIL: *([0-9]+)' ;;
  esac
  [ "$class" = Producer ] || size=512
  total=0
  exec 7< <(exec timeout $((windows * 10 + 40)) "$rmq" bench "$class" "$@" -n "127.0.0.1:$port" 2>&1)
  producer=$!; echo "$producer" >"$work/producer.pid"
  while [ $n -lt $windows ] && read -r -u 7 line; do
    [[ $line =~ $want ]] || continue
    n=$((n + 1)) total=$((total + BASH_REMATCH[1] * 10))
    client=${client:-$(pgrep -P "$producer" | head -1)}
    case $class in
      Producer) failed=$((BASH_REMATCH[4] + BASH_REMATCH[5])) ;; # counted from the client's start on
      Consumer) failed=$((failed + BASH_REMATCH[2])) ;;
    esac
    [ $n -gt 0 ] || { c0=$(cpu "$pid") g0=$(cpu "$client") m0=$(machine_cpu) before=$failed; continue; }
    sum=$((sum + BASH_REMATCH[1] * 10))
    [ "$class" = Producer ] || continue
    [ "${BASH_REMATCH[2]}" -le $slowest ] || slowest=${BASH_REMATCH[2]}
    mean=$(awk -v m="$mean" -v x="${BASH_REMATCH[3]}" -v n=$n 'BEGIN{printf "%.3f", m+(x-m)/n}')
  done
  c1=$(cpu "$pid") g1=$(cpu "${client:-$pid}") m1=$(machine_cpu)
  kill "$producer" 2>/dev/null; wait "$producer" 2>/dev/null; producer=''; rm -f "$work/producer.pid"
  exec 7<&-
  [ $n -ge 1 ] || { echo "versus: stock's $class printed no figures" >&2; return 1; }
  awk -v class="$class" -v name="$name" -v port="$port" -v sum=$sum -v s=$((n * 10)) -v c=$(awk "BEGIN{print $c1-$c0}") -v g=$(awk "BEGIN{print $g1-$g0}") -v m=$(awk "BEGIN{print $m1-$m0}") -v procs="$(grep -c '^cpu[0-9]' /proc/stat)" \
    -v rss="$(bytes "$pid" VmRSS)" -v anon="$(bytes "$pid" RssAnon)" -v mean="$mean" -v max=$slowest -v failed=$((failed - before)) -v size=$size -v now="$(date -u +%FT%TZ)" 'BEGIN {
    per = sum ? 1e6/sum : 0; others = m-c-g; if (others < 0) others = 0
    printf "{\"Kind\":\"stock %s\",\"Name\":\"%s\",\"Started\":\"%s\",\"Seconds\":%d,\"Messages\":%d,\"Requests\":%d,\"Bytes\":%d,\"PerSecond\":%.0f,", class, name, now, s, sum, sum, sum*size, sum/s
    printf "\"Workload\":{\"Addr\":\"127.0.0.1:%s\",\"Topic\":\"Bench%s\",\"Topics\":1,\"Queues\":%d,\"Conns\":1,\"Window\":%d,\"Encoding\":\"json\",\"Sizes\":\"%d\"},", port, class, class=="Producer"?4:8, class=="Producer"?64:8, size
    if (class == "Producer") printf "\"Latency\":{\"Mean\":%s,\"Max\":%d},", mean, max
    if (failed > 0) printf "\"Errors\":{\"failed\":%d},", failed
    printf "\"Generator\":{\"CPUSeconds\":%.2f,\"CPUPerMessageUs\":%.3f,\"Cores\":%.3f},\"Others\":{\"Cores\":%.3f,\"Share\":%.4f},", g, g*per, g/s, others/s, others/s/procs
    printf "\"Broker\":{\"CPUSeconds\":%.2f,\"CPUPerMessageUs\":%.3f,\"Cores\":%.3f,\"ResidentBytes\":%d,\"AnonymousBytes\":%d}}\n", c, c*per, c/s, rss, anon }'
}

java_note="It is a JVM and takes its processor time from the same machine as the broker: what one broker uses less the client has, and where \
broker and client together fill the machine the client is the limit. So compare the broker's CPU a message first; the generator's CPU in the table is this client's."

# java_rounds FILE TITLE COMMAND NOTE FUNCTION: both in turns; FUNCTION ROUND NAME NAMESRV-PORT PID is one report
java_rounds() {
  local i
  rm -f "$work/ours.json" "$work/stock.json"
  for i in $(seq "$rounds"); do
    "$5" "$i" ours $ns_port "$(cat "$work/ours.pid")" >>"$work/ours.json" || exit 1
    "$5" "$i" stock $stock_ns "$(cat "$RMQ_HOME/run/interop-broker.pid")" >>"$work/stock.json" || exit 1
  done
  "$bin" bench compare --in-turns --title "$2" --command "$3" --note "$4 $java_note" --json "$1" "$work/ours.json" "$work/stock.json" || exit 1
}

java_producer() { java_report Producer "${@:2}" -t BenchProducer -w 64 -s 1024; }

run_java() { # run_java FILE TITLE
  java_rounds "$1" "$2" "interop/stock/rmq bench Producer -t BenchProducer -w 64 -s 1024 -n NAMESRV" \
    "Stock's own client: 64 threads over one connection, each of which waits for its answer before it sends again, so that a round trip and what the client itself costs bound the messages. \
Latency comes from the client, in whole milliseconds; it tells no percentiles." java_producer
}

# Each round is a new group, which begins where the topic does. A round in which the messages did not last is none.
java_consumer() {
  java_report Consumer "${@:2}" -t BenchConsumer -g "bench-consumer-$1" -p false
  [ "$total" -lt $((lying * 19 / 20)) ] || { echo "versus: stock's Consumer had read all $lying messages before its time was over" >&2; return 1; }
}

run_javaconsume() { # run_javaconsume FILE TITLE
  local port
  [ -n "$fresh" ] || { stop_both; start_both "$flush"; } # what lies there would push the messages of one of them out of memory
  lying=$(((seconds + 9) / 10 * 4000000 + 4000000)) # more than the client has read so far in that time, and both brokers' in memory
  for port in $broker_port $stock_port; do
    # Few in flight: a stock broker that is asked for much refuses, and all of these are to be there.
    "$bin" bench consume -b 127.0.0.1:$port --topic BenchConsumer --queues 8 --size 512 --connections 1 --window 4 --batch 16 --fill --fill-messages $lying --warm-up 0s --duration 1s >"$work/fill.out" 2>&1 ||
      { cat "$work/fill.out" >&2; exit 1; }
  done
  java_rounds "$1" "$2" "interop/stock/rmq bench Consumer -t BenchConsumer -g GROUP -p false -n NAMESRV" \
    "Stock's own client, with its 20 threads and pulls of 32 messages, reads a topic of 8 queues from its beginning; $lying messages of 512 bytes were sent just before, so that they come from memory." java_consumer
}

measure() { # every row of the table, the names of their files into results
  results=() not_measured=()
  for flush in $modes; do
    start_both "$flush"
    while IFS='|' read -r name what how flags; do
      [ -n "$name" ] || continue
      [ "$only" = "  " ] || [[ $only == *" $name "* ]] || { missing "$what; stock ${flush}_FLUSH: not asked for"; continue; }
      if [ "$(du -sm "$work" | cut -f1)" -gt $full ]; then stop_both; start_both "$flush"; fi
      file=$folder/$name-$flush.json
      echo "== $name, stock with ${flush}_FLUSH"
      # What empties the page cache needs none of it filled.
      if [ "$how" = cold ]; then memory_free; else fill_memory "$bin"; fi
      # shellcheck disable=SC2086
      "run_$how" "$file" "$what; stock ${flush}_FLUSH" $flags </dev/null || continue
      fresh='' results+=("$file")
      note_disk
    done <<<"$rows"
    machine
    stop_both
  done
  [ ${#results[@]} -gt 0 ] || { echo "versus: no such row:$only" >&2; exit 1; }
}

note_disk() { # the most that both stores have held
  local now; now=$(du -sm "$work" | cut -f1)
  [ "$now" -le "$peak_mib" ] || peak_mib=$now
}

machine() { # what the figures were made on, while both brokers run; once
  [ ! -f "$work/machine.md" ] || return 0
  local source fs options disk probe
  read -r source fs options < <(findmnt -no SOURCE,FSTYPE,OPTIONS -T "$work")
  disk=$(lsblk -dno MODEL,SIZE,ROTA "$source" 2>/dev/null | awk '{$1=$1; print}')
  probe=$("$bin" tune probe-disk --store "$work/ours-bench" 2>/dev/null | awk -F'  +' '/^fdatasync, by/ {printf "%s%s: p50 %s us, p99 %s us", sep, $1, $2, $3; sep="; "}')
  {
    echo "- ${filled,}"
    echo "- kernel: $(uname -sr); both stores on one file system: $fs on ${source:-unknown} ($options)"
    echo "- disk: $(basename "${source:-unknown}") ${disk:-of unknown model} (model where it tells one, size, 1 where it says that it rotates)"
    echo "- a synced write of 16 KiB into zeroed blocks there, beside the idle brokers (\`ringmq tune probe-disk\`): ${probe:-not measured}"
    echo "- Java: $(java -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p;2p' | paste -sd' ')"
    echo "- stock's broker: $(tr '\0' '\n' <"/proc/$(cat "$RMQ_HOME/run/interop-broker.pid")/cmdline" | grep -E '^-(X|server)' | paste -sd' ')"
    echo "- stock's broker.conf, all else as it comes: $(sed 's#='"$work"'#=...#' "$work/stock/broker.conf" | grep -v '^flushDiskType' | tac | awk -F= '!seen[$1]++' | tac | paste -sd' '); flushDiskType as the row says"
    echo "- ours: no file; listenPort, namesrvListenPort, brokerName and the store's folder set, mappedFileSizeCommitLog, maxHashSlotNum and maxIndexNum as stock's, flushDiskType=SYNC_FLUSH (the default); diskEngine=$engine in every row, $([ -n "${ENGINE:-}" ] && echo 'as asked for' || echo 'which is what its first start measured and took')"
  } >"$work/machine.md"
}

write_up() {
  local durations took=$((SECONDS - began)) flushes='' mode
  # Stock's own clients count in windows of 10 s, see java_report.
  durations=$(printf '%s\n' "$rows" | awk -F'|' -v only="$only" -v s="$seconds" 'only == "  " || index(only, " " $1 " ") {
    own = match($4, /--duration [0-9]+s/) ? substr($4, RSTART+11, RLENGTH-11) : ""
    if ($3 ~ /^java/ && s % 10) own = int((s + 9) / 10) * 10 "s"
    if (own != "") { printf "%s%s %s", sep, $1, own; sep = ", " } }')
  for mode in $modes; do
    [ "$mode" = ASYNC ] && flushes+="${flushes:+ and then }ASYNC_FLUSH (its default: an acknowledged message may be lost when the machine fails)" || flushes+="${flushes:+ and then }SYNC_FLUSH"
  done
  cat >"$work/intro.md" <<M
\`make versus ROUNDS=$rounds LONG_ROUNDS=$long_rounds SECONDS=$seconds FLUSH="$modes"${rows_asked:+ ROWS=\"$rows_asked\"}${ENGINE:+ ENGINE=$ENGINE}${DOC:+ DOC=$DOC}\` made this page at commit $(git -C "$root" describe --always --dirty 2>/dev/null), $(date -u +%F); it
took $((took / 60)) minutes${long_rows:+, $((long_took / 60)) of them for $long_rows,} and $(awk -v m="$peak_mib" 'BEGIN{printf "%.0f", m/1024 + 0.5}') GiB of disk at most. The first target is ours, which always runs
SYNC_FLUSH: what it acknowledges is on disk. The second is Apache RocketMQ 5.3.3 with a heap of 4 GiB, warmed with sends for $warm s, pulls for $warm_pulls s
and both for $warm_both s, with $flushes. Bodies have 1024 bytes (512 for stock's Consumer),
headers are JSON. Both brokers and the generator share this one machine and are loaded in turns: rounds of each row $rounds, of $seconds s each${durations:+ but for rows with a time of their own ($durations)}; what is
read to its end takes as long as that takes.${long_rows:+ Of rows that write tens of GiB there are $long_rounds rounds, each with empty stores and a JVM warmed anew: $long_rows.} The column *counted* has what it was.

**How to read it.** The rows with many requests in flight are closed loops: they find the most that can be moved, and their latency is
that of a broker kept busy, so compare throughput and processor time there. The row with one request in flight shows what a single
caller waits. The open loops are given their rate, so there only latency and processor time differ; latency counts from when a request
should have left, whatever the broker does. End to end it reaches to when a consumer had the message. A ratio of latency or CPU below 1 is in our favour, of messages above 1. Take a difference for real
when all rounds agree and it is larger than the spread. Stock's own Java clients come first, for those who do not trust our generator. Figures of one machine say nothing about another: run it on yours.
M
  [[ " ${results[*]} " != *"/colddrain-"* ]] || cat >>"$work/intro.md" <<M

The row of the cold drain shows three things at once: how fast a consumer catches up, what the sends beside it wait ("sends during the drain"), and
what they wait without it ("before"). Ours reads the disk no faster than commits bear, which it finds out while it reads, but at least 16 MiB/s and
half as much again as is being stored (\`coldReadMinBytesPerSecond\`, [adr/0008](adr/0008-cold-reads-are-paced.md)); without sends beside it reads as fast as it can.
Compare the ratio of the two p99, not only the speed of the drain.
M
  "$bin" bench page --title "Beside the stock broker" --intro "$work/intro.md" --machine "$work/machine.md" --bars "$here/bars.txt" --notes "$root/docs/benchmarks-notes.md" "${not_measured[@]}" --markdown "$doc" --html "$folder/benchmarks.html" "${results[@]}" || exit 1
  echo "versus: wrote $doc and $folder/benchmarks.html"
}

# In one line that bash reads whole, so that this file may be edited while it runs.
measure; write_up; exit
