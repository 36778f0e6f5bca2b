# Functions of run.sh: "ringmq doctor" on a stock name server and a stock broker. It must find nothing where nothing is wrong, and name what is.

# diagnosis ARGS...: exit code and findings of a run, worst first, one line each: state, name, about. OK findings are left out.
diagnosis() {
  timeout 60 "$bin" doctor -n 127.0.0.1:$stock_ns -o json "$@" >"$work/doctor.json" 2>>"$work/doctor.err"
  echo "exit $?"
  awk -F'"' '$2 == "name" {name = $4} $2 == "state" {state = $4} $2 == "about" && state != "ok" {print state, name, $4}' "$work/doctor.json"
}

# expect WHAT DIAGNOSIS ARGS...: PASS when a run says exactly that, with "; " between its lines.
expect() {
  local what=$1 want=$2 got
  shift 2
  got=$(diagnosis "$@" | sed ':a;N;$!ba;s/\n/; /g')
  if [ "$got" = "$want" ]; then echo "PASS doctor/$what"; else echo "FAIL doctor/$what: $got, want $want"; fi
}

doctor() {
  local at="broker-a 127.0.0.1:$stock_port" member i
  need_stock doctor
  admin() { "$bin" admin "$@" -n 127.0.0.1:$stock_ns >>"$work/doctor.out" 2>&1; }
  send() { for i in 1 2 3 4; do admin sendMessage -t DoctorTopic -p "message $i" || echo "FAIL doctor/send: a message was not sent"; done; }
  # A stock broker that has just started answers the question for its figures with a NoSuchElementException, until it has sampled some.
  for i in $(seq 50); do admin brokerStatus -b 127.0.0.1:$stock_port && break; sleep 0.2; done
  expect "a sound broker" "exit 0"
  case $("$bin" admin topicList -n 127.0.0.1:$stock_ns 2>&1) in
    *RINGMQ_DOCTOR*) echo "FAIL doctor/leaves nothing: its topic is still there" ;;
    *TBW102*) echo "PASS doctor/leaves nothing" ;;
    *) echo "FAIL doctor/leaves nothing: topics are not listed" ;;
  esac
  admin updateTopic -b 127.0.0.1:$stock_port -t DoctorTopic -r 2 -w 2
  admin updateSubGroup -b 127.0.0.1:$stock_port -g DoctorGroup
  mkfifo "$work/doctor.in"
  java -Xmx256m -Dnamesrv=127.0.0.1:$stock_ns -Drocketmq.client.logRoot="$work/clientlog" -cp "$work/classes:$classpath" \
    Member DoctorGroup DoctorTopic concurrent doctor-member <"$work/doctor.in" >"$work/doctor.got" 2>>"$work/java.err" &
  member=$!
  exec 7>"$work/doctor.in" # the member consumes until that is closed
  send
  for i in $(seq 600); do [ "$(grep -c '^got ' "$work/doctor.got")" -ge 4 ] && break; sleep 0.1; done
  # A client reports its progress every half a second here, after the first ten.
  for i in $(seq 100); do "$bin" admin consumerProgress -g DoctorGroup -n 127.0.0.1:$stock_ns | grep -q 'Diff Total: 0' && break; sleep 0.2; done
  expect "a topic and a group that work" "exit 0" --topic DoctorTopic --group DoctorGroup
  exec 7>&-
  wait $member
  send
  expect "a group whose member has left" "exit 1; broken group-has-no-member DoctorGroup" --topic DoctorTopic --group DoctorGroup
  admin updateTopicPerm -b 127.0.0.1:$stock_port -t DoctorTopic -p 4
  expect "a topic that may only be read" "exit 0; warning topic-not-writable DoctorTopic on broker-a" --topic DoctorTopic
  admin updateTopicPerm -b 127.0.0.1:$stock_port -t DoctorTopic -p 6
  admin updateBrokerConfig -b 127.0.0.1:$stock_port -k brokerPermission -v 4
  expect "a broker that may only be read" "exit 1; broken broker-not-writable $at; warning topic-not-writable DoctorTopic on broker-a" --topic DoctorTopic
  admin updateBrokerConfig -b 127.0.0.1:$stock_port -k brokerPermission -v 6
  expect "as it was" "exit 0" --topic DoctorTopic
  admin wipeWritePerm -b broker-a
  for i in once twice; do # the first look has not opened it
    expect "a broker that was drained, looked at $i" "exit 0; warning broker-drained $at; warning topic-not-writable DoctorTopic on broker-a; unknown test-message-not-sent $at" --topic DoctorTopic
  done
  admin addWritePerm -b broker-a
  expect "open again" "exit 0" --topic DoctorTopic
  expect "what is not there" "exit 0; warning topic-not-there NoSuchTopic; warning group-not-known NoSuchGroup" --topic NoSuchTopic --group NoSuchGroup
  "$rmq" stop interop-broker
  expect "a broker that has ended" "exit 1; broken no-broker-registered 127.0.0.1:$stock_ns"
  "$rmq" stop interop-ns
  expect "a name server that has ended" "exit 2; broken name-server-unreachable 127.0.0.1:$stock_ns"
}
