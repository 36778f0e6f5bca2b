package broker

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// replay sends the requests of recorded scenarios to a fresh broker in the order of the recording and compares the answers with
// what the reference broker said: code, remark, names of the fields, and whether there was a body.
type replay struct {
	*rig
	conns    map[string]*client
	physical map[int64]int64 // recorded offset in the log -> ours
	seen     int
	pulls    int // of these, answers that name the broker to ask next
	skipped  map[string]int
	slave    *rig                                                 // what was asked of the recorded slave is asked of it; nil: of the broker too
	before   map[string]func()                                    // what happens before a request, by scenario and number
	leaveOut func(e *golden.Exchange, req *remoting.Command) bool // nil: nothing
}

func newReplay(t *testing.T, more ...string) *replay {
	return &replay{rig: newRig(t, more...), conns: map[string]*client{}, physical: map[int64]int64{}, skipped: map[string]int{}}
}

// step is one frame of a recording: a request that is sent, or an answer that is waited for.
type step struct {
	order  int
	answer bool
	e      *golden.Exchange
}

func (r *replay) scenario(name string) {
	r.t.Helper()
	all := golden.Scenario(r.t, name)
	var steps []step
	for i := range all {
		e := &all[i]
		if e.Code == nil || e.From != "client" || !strings.HasPrefix(e.Server, "broker-a") && e.Server != "namesrv" {
			continue
		}
		steps = append(steps, step{e.RequestOrder, false, e})
		if len(e.Response) > 0 {
			steps = append(steps, step{e.ResponseOrder, true, e})
		}
	}
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].order < steps[j].order })
	waiting := map[*golden.Exchange]<-chan *remoting.Command{}
	for _, s := range steps {
		if s.e.Server == "namesrv" {
			continue
		}
		if s.answer {
			if ch := waiting[s.e]; ch != nil {
				r.compare(s.e, await(r.t, ch))
			}
			continue
		}
		req := r.request(s.e)
		if req == nil {
			continue
		}
		if happens := r.before[entry(s.e)]; happens != nil {
			happens()
		}
		c := r.client(name, s.e)
		if s.e.Oneway {
			if err := c.Oneway(req); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		if len(s.e.Response) == 0 {
			continue
		}
		ch := c.start(req)
		if req.Code == remoting.CodeHeartBeat {
			// Whoever asks for members over another connection shall find them.
			r.compare(s.e, await(r.t, ch))
			continue
		}
		waiting[s.e] = ch
	}
	for key, c := range r.conns {
		if strings.HasPrefix(key, name+"/") {
			c.Close()
		}
	}
}

func (r *replay) client(scenario string, e *golden.Exchange) *client {
	key := fmt.Sprint(scenario, "/", e.Conn)
	c := r.conns[key]
	if c == nil {
		switch {
		case strings.HasSuffix(e.Server, "-vip"):
			c = r.dialFast()
		case strings.HasSuffix(e.Server, "-slave") && r.slave != nil:
			c = r.slave.dial()
		default:
			c = r.dial()
		}
		r.conns[key] = c
	}
	return c
}

// request is what is sent for a recorded request; nil when it is left out.
func (r *replay) request(e *golden.Exchange) *remoting.Command {
	r.t.Helper()
	var decoded remoting.Command
	if err := decoded.Decode(e.Request); err != nil {
		r.t.Fatal(err)
	}
	req := decoded.Clone()
	if built := r.broker.handlerOf(req.Code) != nil; !built && (e.Scenario != "raw-unsupported" || req.Code == remoting.CodeGetBrokerRuntimeInfo) {
		r.skipped[remoting.CodeName(req.Code)]++
		return nil
	}
	if r.leaveOut != nil && r.leaveOut(e, req) {
		return nil
	}
	// What was answered is in its queue and in the index a moment later.
	until(r.t, "dispatch", func() bool {
		s := r.broker.store.Stats()
		return s.DispatchBehindBytes == 0 && s.IndexBehindBytes == 0
	})
	switch req.Code {
	case remoting.CodeSendMessage, remoting.CodeSendMessageV2:
		// A queue below 0 is any: what comes later needs the one that it was.
		if e.ResponseHeader != nil && e.ResponseHeader.Ext["queueId"] != nil {
			r.set(req, "queueId", *e.ResponseHeader.Ext["queueId"])
			r.set(req, "e", *e.ResponseHeader.Ext["queueId"])
		}
	case remoting.CodePullMessage, remoting.CodeLitePullMessage:
		if e.ResponseHeader != nil && e.ResponseHeader.Code == remoting.RespPullNotFound {
			r.set(req, "suspendTimeoutMillis", "20")
		}
	case remoting.CodeQueryMessage:
		r.set(req, "beginTimestamp", "0")
		r.set(req, "endTimestamp", "9223372036854775807")
	case remoting.CodeConsumeMessageDirectly:
		if _, at, err := record.ParseOffsetID([]byte(req.Text("msgId"))); err == nil {
			r.set(req, "msgId", string(record.AppendOffsetID(nil, r.broker.advertise, r.physical[at])))
		}
	case remoting.CodeConsumerSendMsgBack, remoting.CodeViewMessageById:
		if at, ok, err := req.Int64("offset"); ok && err == nil {
			if ours, ok := r.physical[at]; ok {
				r.set(req, "offset", strconv.FormatInt(ours, 10))
			}
		}
	}
	return req
}

func (r *replay) set(req *remoting.Command, key, value string) {
	for i := range req.Ext {
		if string(req.Ext[i].Key) == key {
			req.Ext[i].Value = []byte(value)
		}
	}
}

var peer = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// alike makes remarks comparable: the words of Java's own exceptions are not ours, addresses differ.
func alike(remark string) string {
	if strings.HasPrefix(remark, "java.") || strings.HasPrefix(remark, "org.apache") || strings.HasPrefix(remark, "com.alibaba") {
		return "exception"
	}
	return peer.ReplaceAllString(remark, "peer")
}

func (r *replay) compare(e *golden.Exchange, got *remoting.Command) {
	r.t.Helper()
	var wanted remoting.Command
	if err := wanted.Decode(e.Response); err != nil {
		r.t.Fatal(err)
	}
	r.seen++
	r.learn(&wanted, got)
	where := fmt.Sprintf("%s n=%d (%d %s)", e.Scenario, e.N, *e.Code, e.Name)
	if meant(e, got, &wanted) {
		return
	}
	if code, ok := differs[entry(e)]; ok {
		if got.Code != code {
			r.t.Errorf("%s: %d %q, meant to be %d", where, got.Code, got.Remark, code)
		}
		if a, b := names(got), names(&wanted); !reflect.DeepEqual(a, b) {
			r.t.Errorf("%s: fields %v, recorded %v", where, a, b)
		}
		return
	}
	remark := alike(string(wanted.Remark))
	if got.Code != wanted.Code || remark != alike(string(got.Remark)) && remark != "exception" {
		r.t.Errorf("%s: %d %q, recorded %d %q", where, got.Code, got.Remark, wanted.Code, wanted.Remark)
		return
	}
	if a, b := names(got), names(&wanted); !reflect.DeepEqual(a, b) && remark != "exception" {
		r.t.Errorf("%s: fields %v, recorded %v", where, a, b)
	}
	if (len(got.Body) == 0) != (len(wanted.Body) == 0) {
		r.t.Errorf("%s: body of %d bytes, recorded %d", where, len(got.Body), len(wanted.Body))
	}
	r.sameShape(where, *e.Code, wanted.Body, got.Body)
	if want := wanted.Text("suggestWhichBrokerId"); want != "" {
		if r.pulls++; got.Text("suggestWhichBrokerId") != want {
			r.t.Errorf("%s: the broker to ask next is %s, recorded %s", where, got.Text("suggestWhichBrokerId"), want)
		}
	}
	for _, key := range []string{"queueOffset", "queueId", "offset", "nextBeginOffset", "minOffset", "maxOffset", "topicSysFlag", "groupSysFlag", "IS_SUB_CHANGE"} {
		if os.Getenv("REPLAY_VALUES") != "" && got.Text(key) != wanted.Text(key) {
			r.t.Errorf("%s: %s=%s, recorded %s", where, key, got.Text(key), wanted.Text(key))
		}
	}
}

// learn notes where a recorded message is in our log.
func (r *replay) learn(wanted, got *remoting.Command) {
	theirs, ours := strings.Split(wanted.Text("msgId"), ","), strings.Split(got.Text("msgId"), ",")
	for i := range theirs {
		if i >= len(ours) {
			break
		}
		if _, a, err := record.ParseOffsetID([]byte(theirs[i])); err == nil {
			if _, b, err := record.ParseOffsetID([]byte(ours[i])); err == nil {
				r.physical[a] = b
			}
		}
	}
	r.records(wanted.Body, got.Body)
}

// records notes the same for two pulls that found equally many messages.
func (r *replay) records(theirs, ours []byte) {
	var a, b record.Record
	for a.Parse(theirs) == nil && b.Parse(ours) == nil {
		r.physical[a.PhysicalOffset] = b.PhysicalOffset
		theirs, ours = theirs[a.TotalSize:], ours[b.TotalSize:]
	}
}

// meant says that an answer differs from stock's as it should: what is not built answers as stock does with it switched off.
func meant(e *golden.Exchange, got, wanted *remoting.Command) bool {
	var req remoting.Command
	if err := req.Decode(e.Request); err != nil {
		return false
	}
	properties := req.Text("i") + req.Text("properties")
	switch {
	case got.Code == remoting.RespNoPermission && strings.Contains(properties, "TRAN_MSG\x01true"):
		return true
	case got.Code == remoting.RespSystemError && strings.Contains(properties, "TIMER_") && !strings.Contains(properties, "DELAY\x01"):
		return true
	case got.Code == remoting.RespSystemError && strings.HasPrefix(string(got.Remark), onlyTags):
		return true
	case req.Code == remoting.CodeQueryConsumerOffset && wanted.Code == remoting.RespQueryNotFound && got.Text("offset") == "0":
		// An empty queue that begins at 0 answers 0, so that a message stored before the next question is not missed.
		return true
	}
	return false
}

func names(c *remoting.Command) []string {
	var keys []string
	for _, f := range c.Ext {
		keys = append(keys, string(f.Key))
	}
	sort.Strings(keys)
	return keys
}

// entry is what an exchange is called in the tables of this test.
func entry(e *golden.Exchange) string { return fmt.Sprint(e.Scenario, "/", e.N) }

// differs are the exchanges whose answer is not stock's, by scenario and number, with the code they have here.
var differs = map[string]int32{
	// The half message of raw-send/43 is not there.
	"raw-pull/42": remoting.RespPullNotFound,
	// Stock takes a group of any name. Topics are named after groups, and folders after topics.
	"raw-admin/71": remoting.RespInvalidParameter,
	// A reset that waits to be told is not forgotten when resets by the server are switched off: the remark says so.
	"mqadmin-resetOffsetByTime-5/5": remoting.RespSuccess, "mqadmin-resetOffsetByTime-5/7": remoting.RespSuccess,
	"mqadmin-resetOffsetByTime-5/9": remoting.RespSuccess, "mqadmin-resetOffsetByTime-5/11": remoting.RespSuccess,
	// The recorded slave had just connected, and was too late for the first message.
	"ha-produce/2": remoting.RespSuccess,
	// Without a slave stock has every send wait for slaveTimeout and then says FLUSH_SLAVE_TIMEOUT. Ours is told at once that there is none.
	"ha-alone/2": remoting.RespSlaveNotAvailable, "ha-alone/5": remoting.RespSlaveNotAvailable, "ha-alone/6": remoting.RespSlaveNotAvailable,
	"ha-slave-restarts/2": remoting.RespSlaveNotAvailable, "ha-slave-restarts/5": remoting.RespSlaveNotAvailable,
	"ha-slave-restarts/6": remoting.RespSlaveNotAvailable,
	"ha-produce-more/2":   remoting.RespSlaveNotAvailable, "ha-produce-more/5": remoting.RespSlaveNotAvailable,
	"ha-produce-more/6": remoting.RespSlaveNotAvailable, "ha-produce-more/7": remoting.RespSlaveNotAvailable,
	"ha-produce-more/8": remoting.RespSlaveNotAvailable, "ha-produce-more/9": remoting.RespSlaveNotAvailable,
}

func TestReplayRaw(t *testing.T) {
	r := newReplay(t)
	for _, name := range []string{"raw-fill", "raw-fill-basic", "raw-consume", "raw-send", "raw-pull", "raw-offsets", "raw-clients", "raw-admin"} {
		r.scenario(name)
	}
	r.enough(230, 30)
}

func TestReplayUnsupported(t *testing.T) {
	r := newReplay(t)
	r.scenario("raw-unsupported")
	r.enough(60, 0)
}

func TestReplayJavaClient(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"json", "bin"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			r := newReplay(t, "messageDelayLevel="+strings.Repeat("0s ", 18))
			for _, name := range []string{"producer-basic", "producer-props", "producer-compress", "producer-batch", "producer-delay", "producer-errors", "producer-v1", "producer-transaction", "producer-fill",
				"consumer-concurrent", "consumer-tags", "consumer-sql92", "consumer-sql92-bad", "consumer-retry-dlq", "consumer-orderly", "consumer-pull",
				"consumer-litepull", "consumer-litepull-heartbeatv2", "consumer-broadcast", "consumer-rebalance"} {
				r.scenario(prefix + "-" + name)
			}
			r.enough(100, 40)
		})
	}
}

func TestReplayGoClient(t *testing.T) {
	r := newReplay(t, "messageDelayLevel="+strings.Repeat("0s ", 18))
	for _, name := range []string{"go-producer", "go-consumer", "go-tags", "go-orderly", "go-broadcast", "go-pull", "go-retry"} {
		r.scenario(name)
	}
	r.enough(50, 15)
}

// enough makes sure that the comparison has taken place, of so many answers in all and of so many to pulls.
func (r *replay) enough(n, pulls int) {
	r.t.Helper()
	if r.seen < n || r.pulls < pulls {
		r.t.Fatal("only", r.seen, "answers compared,", r.pulls, "of them by the broker to ask next; not built:", r.skipped)
	}
	r.t.Log(r.seen, "answers compared,", r.pulls, "of them by the broker to ask next; not built:", r.skipped)
}
