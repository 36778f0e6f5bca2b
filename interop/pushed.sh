# Functions of metrics.sh: a stock broker and one of ours push to a collector each, under the same load, and what a collector sees of them is
# compared: names, units, scope, kinds, labels, buckets. They use $root, $bin, $work, $port, run, wait_tcp and must.sh.
rmq=$root/interop/stock/rmq jars=${RMQ_HOME:-$HOME/.cache/stock-rmq}
export RMQ_HOME=$work/stock-home # another run's stock servers are not ours to stop

stock_pushes() { # stock_pushes NAMESRV-PORT BROKER-PORT COLLECTOR-PORT
  mkdir -p "$RMQ_HOME/run" && cp -r "$jars/conf" "$RMQ_HOME/" && ln -s "$jars/lib" "$RMQ_HOME/lib" || return
  printf 'listenPort=%s\nkvConfigPath=%s\n' "$1" "$work/stock-kv.json" >"$work/stock-ns.conf"
  cat >"$work/stock.conf" <<C
brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
listenPort=$2
namesrvAddr=127.0.0.1:$1
storePathRootDir=$work/stock-store
storePathCommitLog=$work/stock-store/commitlog
mappedFileSizeCommitLog=67108864
maxIndexNum=200000
maxHashSlotNum=50000
metricsExporterType=OTLP_GRPC
metricsGrpcExporterTarget=http://127.0.0.1:$3
metricGrpcExporterIntervalInMills=1000
C
  local -x NAMESRV=127.0.0.1:$1
  stock_starts metrics-ns "-Xms128m -Xmx256m" namesrv "$work/stock-ns.conf" && stock_starts metrics-broker "-Xms512m -Xmx768m" broker "$work/stock.conf"
}

stock_starts() { # stock_starts NAME HEAP KIND CONF: a start has 30 s, which a loaded machine may exceed; once more then
  local try
  for try in 1 2; do
    NAME=$1 HEAP=$2 "$rmq" start "$3" "$4" && return
    "$rmq" stop "$1"
  done
  return 1
}

stock_ends() { [ ! -d "$RMQ_HOME/run" ] || "$rmq" stop; }

pushes() {
  local stock=$((port + 34)) ours=$((port + 38)) theirs=$((port + 27)) mine=$((port + 28)) status
  if ! { command -v java && RMQ_HOME=$jars "$rmq" install; } >"$work/jars" 2>&1; then
    unshown metrics/pushed "no stock broker: there is no java, or its jars cannot be fetched: $(tail -1 "$work/jars")"
    return
  fi
  stock_pushes $((port + 30)) "$stock" "$theirs" >"$work/stock" 2>&1 || { fail "metrics/pushed: the stock servers did not start: $(tail -3 "$work/stock")"; return; }
  run pushing "$bin" broker --set brokerName=broker-a --set brokerIP1=127.0.0.1 --set bindAddress=127.0.0.1 --set listenPort="$ours" --set storePathRootDir="$work/store-pushing" \
    --set mappedFileSizeCommitLog=67108864 --set metricsExporterType=OTLP_GRPC --set metricsGrpcExporterTarget=http://127.0.0.1:"$mine" --set metricGrpcExporterIntervalInMills=1000
  wait_tcp "$ours" pushing
  "$work/metrics" -pushed -duration 120s 127.0.0.1:"$stock" 127.0.0.1:"$theirs" 127.0.0.1:"$ours" 127.0.0.1:"$mine" >"$work/pushed" 2>"$work/pushed.err"
  status=$?
  cat "$work/pushed"
  count "$work/pushed"
  [ $status -eq 0 ] || grep -q '^FAIL ' "$work/pushed" || fail "metrics/pushed: $(tail -1 "$work/pushed.err")"
}
