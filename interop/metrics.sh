#!/usr/bin/env bash
# Evaluates every alert and every dashboard query of deploy/ on a real Prometheus that scrapes a master and its slave under load, and compares
# what a broker pushes by OTLP with what a stock broker pushes.
#   interop/metrics.sh        PORT=23300 is the first of forty ports. PROMETHEUS and PROMTOOL name programs; without them Debian's package is
# fetched and unpacked, not installed. The stock broker needs Java 17 and Maven for its jars (about 90 MB, fetched once into ~/.cache/stock-rmq).
# Where that is not possible a part is skipped, with the reason, or failed with MUST=1. Ends with "metrics: N passed, M failed, K skipped".
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${RINGMQ:-$root/bin/ringmq}
port=${PORT:-23300}
. "$root/interop/must.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-metrics-XXXXXX") || exit 1
pids=()
. "$root/interop/pushed.sh"
cleanup() {
  stock_ends
  [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
die() { echo "metrics: $*" >&2; exit 1; }
run() { # run NAME COMMAND...: beside us, its output in $work/NAME
  local name=$1; shift
  "$@" >"$work/$name" 2>&1 &
  pids+=($!)
}
wait_tcp() { # wait_tcp PORT NAME
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  cat "$work/$2" >&2
  die "nothing listens on $1"
}

find_prometheus() { # $prometheus and $promtool; false, and $why, where there are none
  prometheus=${PROMETHEUS:-$(command -v prometheus)} promtool=${PROMTOOL:-$(command -v promtool)}
  [ -z "$prometheus" ] || [ -z "$promtool" ] || return 0
  if ! { command -v apt-get && command -v dpkg-deb; } >/dev/null; then
    why="there is no Prometheus here and no apt-get to fetch it with; PROMETHEUS and PROMTOOL may name one"
    return 1
  fi
  mkdir "$work/package"
  if ! (cd "$work/package" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >"$work/apt" 2>&1); then
    why="apt-get cannot fetch the package prometheus: $(tail -1 "$work/apt")"
    return 1
  fi
  dpkg-deb -x "$work"/package/prometheus_*.deb "$work/package" || die "the package prometheus cannot be unpacked"
  prometheus=$work/package/usr/bin/prometheus promtool=$work/package/usr/bin/promtool
}

ns=127.0.0.1:$port master=$((port + 4)) slave=$((port + 10))
broker() { # broker NAME PORT ADMIN KEY=VALUE...
  local name=$1 listen=$2 admin=$3 set=() kv; shift 3
  for kv in "$@"; do set+=(--set "$kv"); done
  run "$name" "$bin" broker -n "$ns" --set brokerName=broker-a --set brokerIP1=127.0.0.1 --set brokerIP2=127.0.0.1 --set bindAddress=127.0.0.1 --set listenPort="$listen" \
    --set storePathRootDir="$work/store-$name" --set mappedFileSizeCommitLog=67108864 --set adminHttpAddress=127.0.0.1:"$admin" --set coldDataFlowControlEnable=true --set coldDataScanEnable=true \
    --set timerColdDataCheckIntervalMs=1000 --set slowLogThresholdMs=1 "${set[@]}"
}
questions() { # all of deploy/ asked of a Prometheus
  local status
  "$prometheus" --version 2>&1 | head -1
  (cd "$root/deploy/prometheus" && "$promtool" check rules ringmq.rules.yml && "$promtool" check config prometheus.yml && "$promtool" test rules ringmq.rules_test.yml) || die "the rules are not sound"
  run namesrv "$bin" namesrv --set bindAddress=127.0.0.1 --set listenPort="$port" --set kvConfigPath="$work/kv.json"
  wait_tcp "$port" namesrv
  broker master "$master" $((port + 20)) brokerRole=SYNC_MASTER inSyncReplicas=2 lagAlarmBehindMs=1 lagAlarmHoldMs=0 metricsExporterType=PROM metricsPromExporterPort=$((port + 22))
  wait_tcp "$master" master
  broker slave "$slave" $((port + 21)) brokerRole=SLAVE brokerId=1
  wait_tcp "$slave" slave
  mkdir "$work/prometheus"
  cp "$root"/deploy/prometheus/ringmq.rules.yml "$work/prometheus/"
  cat >"$work/prometheus/prometheus.yml" <<C
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [ringmq.rules.yml]
scrape_configs:
  - job_name: ringmq
    static_configs: [{targets: ['127.0.0.1:$((port + 22))', '127.0.0.1:$((port + 21))']}]
C
  run prom "$prometheus" --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" --web.listen-address=127.0.0.1:$((port + 25))
  wait_tcp $((port + 25)) prom
  run load "$work/metrics" -broker 127.0.0.1:"$master" -duration 60s
  run bench "$bin" bench produce -b 127.0.0.1:"$master" --rate 200 --connections 2 --topic MetricsBench --warm-up 0s --duration 40s
  sleep "${LOAD_SECONDS:-14}" # rates over ten seconds need as many
  "$work/metrics" -prometheus http://127.0.0.1:$((port + 25)) "$root"/deploy/grafana/*.json >"$work/checked" 2>"$work/checked.err"
  status=$?
  cat "$work/checked"
  count "$work/checked"
  [ $status -eq 0 ] || tail -n 3 "$work/load" "$work/master" "$work/slave" >&2
  [ $status -eq 0 ] || grep -q '^FAIL ' "$work/checked" || fail "metrics/prometheus: $(tail -1 "$work/checked.err")"
}

(cd "$root" && go build -o "$work/metrics" ./interop/metrics) || die "the program does not build"
if find_prometheus; then questions; else unshown metrics/prometheus "$why"; fi
pushes
summary metrics
