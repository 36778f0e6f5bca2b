# Functions of run.sh: strangers. A host of its own (a network namespace) stands for another machine.

# strangers: what clients need is open to another host, what administrators ask is refused there until adminAllowedCidrs has its address.
strangers() {
  local ns=rmq-strangers-$$ near=10.213.$((shift_ports / 100)).1 far=10.213.$((shift_ports / 100)).2
  if ! ip netns add "$ns" 2>/dev/null; then
    (unshown strangers/all "network namespaces need root and the ip command") # the line is counted with all others
    return
  fi
  stranger_meets "$ns" "$near" "$far"
  ours_stop
  ip netns del "$ns"
  ip link del "rmqs$$" 2>/dev/null
}

stranger_meets() { # NAMESPACE NEAR FAR
  ip link add "rmqs$$" type veth peer name far0 netns "$1" && ip addr add "$2/24" dev "rmqs$$" && ip link set "rmqs$$" up &&
    ip -n "$1" addr add "$3/24" dev far0 && ip -n "$1" link set far0 up && ip -n "$1" link set lo up ||
    { echo "FAIL strangers/network: the namespace was not connected"; return; }
  local there="ip netns exec $1" out
  local admin="$there env RMQ_HOME=$RMQ_HOME NAMESRV=$2:$ns_port $rmq admin"
  need_ours strangers bindAddress=0.0.0.0 brokerIP1="$2"
  # A Java producer and a push consumer, whose topic comes into being by sending.
  out=$(timeout 120 $there java -Xmx256m -Dnamesrv="$2:$ns_port" -Dbroker="$2:$broker_port" -Drocketmq.client.logRoot="$work/clientlog" \
    -cp "$work/classes:$classpath" Suite send-auto-topic 2>>"$work/java.err")
  case $out in
    *"1 passed, 0 failed"*) echo "PASS strangers/produces and consumes" ;;
    *) echo "FAIL strangers/produces and consumes: $(echo "$out" | tail -3 | tr '\n' ' ')" ;;
  esac
  answers "refused a topic" "adminAllowedCidrs" $admin updateTopic -b "$2:$broker_port" -t Theirs
  answers "refused the name server's topics" "adminAllowedCidrs" $admin topicList
  answers "refused the configuration" "adminAllowedCidrs" $admin updateBrokerConfig -b "$2:$broker_port" -k autoCreateTopicEnable -v false
  # On the machine itself, by the address that the route says.
  answers "its own machine is answered" "create topic to $2:$broker_port success" env NAMESRV="$2:$ns_port" "$rmq" admin updateTopic -b "$2:$broker_port" -t Ours
  ours_stop
  need_ours strangers bindAddress=0.0.0.0 brokerIP1="$2" adminAllowedCidrs="192.0.2.1,$3"
  answers "a network that is named is answered" "create topic to $2:$broker_port success" $admin updateTopic -b "$2:$broker_port" -t Theirs
}

answers() { # WHAT TEXT COMMAND...: PASS when what the command prints has the text
  local what=$1 text=$2 out
  shift 2
  out=$(timeout 60 "$@" 2>&1)
  case $out in
    *"$text"*) echo "PASS strangers/$what" ;;
    *) echo "FAIL strangers/$what: $(echo "$out" | tail -3 | tr '\n' ' ')" ;;
  esac
}
