# Functions of run.sh: what rocketmq-exporter and rocketmq-dashboard read, and /metrics, of a stock broker and of ours after the same traffic.

# reads_of SIDE NAMESRV BROKER METRICS-PORT: what that side answers into $work/reads.SIDE, and its metrics into $work/reads.SIDE.prom.
reads_of() {
  (cd "$work" && exec timeout 300 java -Xmx512m -Drocketmq.client.logRoot="$work/clientlog" -Drocketmq.client.localOffsetStoreDir="$work/reads-offsets-$1" \
    -cp "$work/classes:$classpath" ReadsDiff run "$2" "$3" "http://127.0.0.1:$4/metrics" "$work/reads.$1") >>"$work/reads.err" 2>&1
}

# reads_both: a stock broker and one of ours are asked at the same time, each by a process of its own.
reads_both() {
  local ours_prom=$((broker_port + 4)) stock_prom=$((stock_port + 4)) there
  rm -rf "$work"/{ours,stock,reads-offsets}-{reads,ours,stock} "$work"/reads.{ours,stock}*
  # Sizes and offsets are compared: without the checksum property records are as long as stock's.
  need_ours reads enabledAppendPropCRC=false metricsExporterType=PROM metricsPromExporterHost=127.0.0.1 metricsPromExporterPort=$ours_prom
  STOCK_SET="metricsExporterType=PROM metricsPromExporterHost=127.0.0.1 metricsPromExporterPort=$stock_prom" need_stock reads
  reads_of stock 127.0.0.1:$stock_ns 127.0.0.1:$stock_port $stock_prom &
  there=$!
  reads_of ours 127.0.0.1:$ns_port 127.0.0.1:$broker_port $ours_prom
  wait $there
  stock_stop
  ours_stop
}

# reads: a minute's figures are read within it, which a loaded machine may not do; clients may miss their moment too. One more try.
reads() {
  local try
  (cd "$root" && go build -o "$work/metrics" ./interop/metrics) || { echo "FAIL reads/metrics: the program does not build"; return; }
  for try in 1 2; do
    reads_both
    java -cp "$work/classes:$classpath" ReadsDiff compare "$work/reads.stock" "$work/reads.ours" >"$work/reads.found" 2>>"$work/reads.err"
    whole "$work/reads.found" reads >"$work/reads.early"
    "$work/metrics" -stock "$work/reads.stock.prom" -ours "$work/reads.ours.prom" >"$work/scrape.found" 2>>"$work/reads.err"
    whole "$work/scrape.found" scrape >>"$work/reads.early"
    cat "$work/scrape.found" "$work/reads.early" >>"$work/reads.found"
    grep -q '^FAIL' "$work/reads.found" || break
    [ $try = 2 ] || grep '^FAIL' "$work/reads.found" | sed 's/^FAIL/once more:/'
  done
  cat "$work/reads.found"
}
