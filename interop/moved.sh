# moved: topics, groups and progress go from ours to a stock broker with "ringmq admin export" and "import", and back. Stock's own mqadmin
# must see the same at both. It uses $bin, $work, $rmq and the functions of lib.sh; both brokers are called broker-a.
moved() {
  local ours=127.0.0.1:$ns_port stock=127.0.0.1:$stock_ns i view
  need_ours moved; need_stock moved
  {
    "$bin" admin updateTopic -n $ours -c DefaultCluster -t MovedTopic -r 4 -w 4 -a +message.type=NORMAL &&
      "$bin" admin updateTopic -n $ours -c DefaultCluster -t MovedOrdered -r 2 -w 2 -o true &&
      "$bin" admin updateSubGroup -n $ours -c DefaultCluster -g MovedGroup -r 5 -d true -q 2 &&
      moved_send $ours &&
      "$bin" admin resetOffsetByTime -n $ours -g MovedGroup -t MovedTopic -s 0 -b 127.0.0.1:$broker_port -q 0 -o 2 &&
      "$bin" admin export -n $ours -c DefaultCluster --to "$work/moved.ours" --topics 'Moved.*' --groups 'Moved.*' &&
      "$bin" admin import "$work/moved.ours" -n $stock -c DefaultCluster &&
      moved_send $stock &&
      "$bin" admin import "$work/moved.ours" -n $stock -c DefaultCluster --offsets exact &&
      "$bin" admin export -n $stock -c DefaultCluster --to "$work/moved.stock" --topics 'Moved.*' --groups 'Moved.*'
  } >"$work/moved.log" 2>&1 || { echo "FAIL cli/moved: $(tail -3 "$work/moved.log")"; stock_stop; ours_stop; return; }
  for view in "topicRoute -t MovedTopic" "topicRoute -t MovedOrdered" "updateOrderConf -t MovedOrdered -m get" "getConsumerConfig -g MovedGroup" "consumerProgress -g MovedGroup -t MovedTopic"; do
    moved_view $ours $view >"$work/moved.a"
    moved_view $stock $view >"$work/moved.b"
    moved_same "${view%% *}" "$work/moved.a" "$work/moved.b"
  done
  # What stock tells is what it was given, and ours has all of it.
  grep -E '"(topicName|groupName)":|"offset":' "$work/moved.ours" | sed 's/"storeTimestamp":[0-9]*/T/; s/,$//' >"$work/moved.a"
  grep -E '"(topicName|groupName)":|"offset":' "$work/moved.stock" | sed 's/"storeTimestamp":[0-9]*/T/; s/,$//' >"$work/moved.b"
  moved_same export "$work/moved.a" "$work/moved.b"
  if "$bin" admin import "$work/moved.stock" -n $ours -c DefaultCluster --offsets exact >"$work/moved.back" 2>&1 && grep -q '^0 to create, 0 to change, .* 0 different and kept, 0 cannot be done' "$work/moved.back"; then
    echo "PASS cli/moved-back"
  else
    echo "FAIL cli/moved-back: $(cat "$work/moved.back")"
  fi
  stock_stop; ours_stop
}

moved_send() { # moved_send NAMESRV: three messages into queue 0
  local i
  for i in 1 2 3; do "$bin" admin sendMessage -n "$1" -t MovedTopic -p "message $i" -b broker-a -i 0 || return; done
}

moved_view() { # moved_view NAMESRV COMMAND...: what stock's mqadmin prints, without addresses and times
  local ns=$1; shift
  "$rmq" admin "$@" -n "$ns" 2>>"$work/moved.err" | sed -E 's/127\.0\.0\.1:[0-9]+/ADDRESS/g; s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}/TIME/g; s/[[:space:]]+$//'
}

moved_same() { # moved_same NAME OURS STOCK
  if [ -s "$2" ] && cmp -s "$2" "$3"; then
    echo "PASS cli/moved-$1"
  else
    echo "FAIL cli/moved-$1: $(diff "$2" "$3")"
  fi
}
