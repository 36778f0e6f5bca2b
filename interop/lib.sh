# Functions of run.sh: ours_start, ours_stop, stock_start, stock_stop, store_exchange, store_recycled. They use $bin, $work and $rmq.
# Ports of their own, the next hundred where somebody listens already or another run has chosen them. A program that is given them in
# its environment keeps them.
choose_ports() {
  local shift p taken
  for shift in $(seq 0 100 900); do
    exec 8>"${TMPDIR:-/tmp}/ringmq-interop-$shift.lock"
    flock -n 8 || continue
    taken=
    for p in 19876 20909 20911 20912 20915 29876 30909 30911 30912 30915; do
      (exec 3<>"/dev/tcp/127.0.0.1/$((p + shift))") 2>/dev/null && taken=1
    done
    [ -n "$taken" ] || break
  done
  shift_ports=$shift ns_port=$((19876 + shift)) broker_port=$((20911 + shift)) stock_ns=$((29876 + shift)) stock_port=$((30911 + shift))
}
[ -n "${ns_port:-}" ] && [ -n "${broker_port:-}" ] || choose_ports
ours_pid='' last_store=''

wait_tcp() { # wait_tcp PORT TENTHS [PID]: no longer than that process is there
  local i
  for i in $(seq "$2"); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    [ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || break
    sleep 0.1
  done
  echo "interop: port $1 does not open" >&2; return 1
}

ours_start() { # ours_start NAME [KEY=VALUE...]: name server and broker in one process, store under $work/ours-NAME
  last_store=$work/ours-$1; shift
  local set=() kv
  for kv in "$@"; do set+=(--set "$kv"); done
  "$bin" standalone --set namesrvListenPort=$ns_port --set listenPort=$broker_port --set brokerName=broker-a \
    --set storePathRootDir="$last_store" --set storePathCommitLog="$last_store/commitlog" \
    --set mappedFileSizeCommitLog=67108864 --set maxIndexNum=200000 --set maxHashSlotNum=50000 "${set[@]}" >>"$work/ours.log" 2>&1 &
  ours_pid=$!
  echo "$ours_pid" >"$work/ours.pid"
  # Whoever else listens there must not be taken for ours.
  wait_tcp $broker_port 100 $ours_pid && wait_tcp $ns_port 100 $ours_pid && kill -0 "$ours_pid" 2>/dev/null
}

ours_stop() {
  [ -f "$work/ours.pid" ] || return 0
  local pid; pid=$(cat "$work/ours.pid")
  kill "$pid" 2>/dev/null
  local i
  for i in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null
  rm -f "$work/ours.pid"
}

write_control() { # a program for the Java cases: "restart" ends the broker in order, "kill" does not
  cat >"$work/control" <<C
#!/usr/bin/env bash
bin=$bin work=$work rmq=$rmq ns_port=$ns_port broker_port=$broker_port
. "$here/lib.sh"
case \$1 in
  restart) ours_stop ;;
  kill) kill -9 \$(cat $work/ours.pid); sleep 0.3; rm -f $work/ours.pid ;;
esac
ours_start main
C
  chmod +x "$work/control"
}

stock_conf() { # stock_conf STORE
  mkdir -p "$work/stock"
  printf 'listenPort=%s\nkvConfigPath=%s\n' $stock_ns "$work/stock/kv.json" >"$work/stock/namesrv.conf"
  cat >"$work/stock/broker.conf" <<C
brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
listenPort=$stock_port
namesrvAddr=127.0.0.1:$stock_ns
storePathRootDir=$1
storePathCommitLog=$1/commitlog
mappedFileSizeCommitLog=${SEGMENT:-67108864}
maxIndexNum=200000
maxHashSlotNum=50000
C
  [ -z "${STOCK_SET:-}" ] || printf '%s\n' $STOCK_SET >>"$work/stock/broker.conf"
}

stock_start() { # stock_start NAME: the reference broker beside ours, store under $work/stock-NAME; STOCK_SET may have KEY=VALUE more
  stock_conf "${2:-$work/stock-$1}"
  export NAMESRV=127.0.0.1:$stock_ns
  NAME=interop-ns HEAP="-Xms256m -Xmx256m" "$rmq" start namesrv "$work/stock/namesrv.conf" >/dev/null &&
    NAME=interop-broker HEAP="-Xms1g -Xmx1g" "$rmq" start broker "$work/stock/broker.conf" >/dev/null
}

stock_stop() {
  local n
  for n in interop-broker interop-ns; do
    [ -f "$RMQ_HOME/run/$n.pid" ] && "$rmq" stop "$n"
  done
  return 0
}

# need_ours, need_stock: the same, or the run ends with the reason. die is run.sh's.
need_ours() { ours_start "$@" || die "our server did not start ($1): $(tail -3 "$work/ours.log" 2>/dev/null)"; }
need_stock() {
  local why
  why=$(stock_start "$@" 2>&1 8>&-) || die "the stock servers did not start ($1): $why"
  export NAMESRV=127.0.0.1:$stock_ns
}

# store_exchange: a directory written by stock is served by ours and the other way round. StoreExchange.java fills and checks.
store_exchange() {
  local fill="java -Xmx512m -Drocketmq.client.logRoot=$work/clientlog -cp $work/classes:$classpath StoreExchange"
  need_stock exchange
  $fill fill 127.0.0.1:$stock_ns 127.0.0.1:$stock_port "$work/stock.list" || echo "FAIL store/fill-stock"
  stock_stop
  cp -a "$work/stock-exchange" "$work/ours-from-stock"
  need_ours from-stock
  $fill check 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$work/stock.list" | sed 's/^\(PASS\|FAIL\) /\1 store\/stock-to-ours-/'
  ours_stop
  need_ours exchange
  $fill fill 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$work/ours.list" || echo "FAIL store/fill-ours"
  ours_stop
  cp -a "$work/ours-exchange" "$work/stock-from-ours"
  need_stock from-ours
  $fill check 127.0.0.1:$stock_ns 127.0.0.1:$stock_port "$work/ours.list" | sed 's/^\(PASS\|FAIL\) /\1 store\/ours-to-stock-clean-/'
  stock_stop
  need_ours killed
  $fill fill 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$work/killed.list" || echo "FAIL store/fill-killed"
  kill -9 "$(cat "$work/ours.pid")"; rm -f "$work/ours.pid"; sleep 0.3
  cp -a "$work/ours-killed" "$work/stock-from-killed"
  need_stock from-killed
  $fill check 127.0.0.1:$stock_ns 127.0.0.1:$stock_port "$work/killed.list" | sed 's/^\(PASS\|FAIL\) /\1 store\/ours-to-stock-killed-/'
  stock_stop
}

# store_recycled: a broker is killed while equal messages fill segments that were others before. Old records stand behind the last
# new one in step with it; stock, which does not compare a record's offset with its place, must stop where ours does.
store_recycled() {
  local max="java -Xmx512m -Drocketmq.client.logRoot=$work/clientlog -cp $work/classes:$classpath StoreExchange max"
  local small=(mappedFileSizeCommitLog=4194304 commitLogMaxBytes=33554432 enabledAppendPropCRC=false) first round
  for round in 1 2 3; do
    need_ours recycled "${small[@]}"
    "$bin" bench produce -b 127.0.0.1:$broker_port --topic RecycledTopic --queues 3 --size 1000 --connections 1 --window 16 --warm-up 0s --duration 30s >/dev/null 2>&1 &
    local load=$!
    local looks=0
    until [ "$(ls "$work/ours-recycled/commitlog" | head -1)" != 00000000000000000000 ] || [ $((looks += 1)) -gt 120 ]; do sleep 0.2; done
    sleep "$round"
    kill -9 "$(cat "$work/ours.pid")"; rm -f "$work/ours.pid"
    wait $load
    first=$(ls "$work/ours-recycled/commitlog" | head -1)
    rm -rf "$work/stock-recycled"
    cp -a "$work/ours-recycled" "$work/stock-recycled"
    need_ours recycled "${small[@]}"
    $max 127.0.0.1:$ns_port 127.0.0.1:$broker_port "$work/max.ours" 2>>"$work/recycled.err"
    ours_stop
    SEGMENT=4194304 need_stock recycled
    $max 127.0.0.1:$stock_ns 127.0.0.1:$stock_port "$work/max.stock" 2>>"$work/recycled.err"
    stock_stop
    if [ "$((10#$first))" -eq 0 ]; then
      echo "FAIL store/recycled-$round: no segment was given up, the case shows nothing"
    elif [ -s "$work/max.ours" ] && cmp -s "$work/max.ours" "$work/max.stock"; then
      echo "PASS store/recycled-$round"
    else
      echo "FAIL store/recycled-$round: queues reach $(tr '\n' ';' <"$work/max.ours") here, $(tr '\n' ';' <"$work/max.stock") with stock"
    fi
  done
}
