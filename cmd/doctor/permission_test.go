package doctor

import (
	"slices"
	"strings"
	"testing"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// drained is a rig whose write permission its name server has wiped.
func drained(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	dial(t, r.o.NameServers[0], nil).must(remoting.CodeWipeWritePermOfBroker, "", "brokerName", "broker-a")
	return r
}

// TestDrained: a drained broker is named with what opens it, stays drained whatever else is looked at, and is open afterwards.
func TestDrained(t *testing.T) {
	t.Parallel()
	r := drained(t)
	report := Run(t.Context(), r.o)
	diagnosed(t, report.Findings, Warning, "broker-drained")
	diagnosed(t, report.Findings, Unknown, "test-message-not-sent")
	nothingBroken(t, report.Findings, "broker-drained")
	for _, f := range report.Findings {
		if f.Name == "broker-open" || f.Name == "test-message-round-trip" {
			t.Errorf("%+v", f)
		}
		if f.Name == "broker-drained" && !strings.Contains(f.Fix, "addWritePerm -b broker-a -n "+r.o.NameServers[0]) {
			t.Error(f.Fix)
		}
	}
	a := ask.New(r.o.Timeout)
	t.Cleanup(a.Close)
	if !(&visit{ask: a}).wipedAt(t.Context(), r.o.NameServers[0], "broker-a") {
		t.Error("the look has opened it")
	}
	dial(t, r.o.NameServers[0], nil).must(remoting.CodeAddWritePermOfBroker, "", "brokerName", "broker-a")
	report = Run(t.Context(), r.o)
	nothingBroken(t, report.Findings)
	diagnosed(t, report.Findings, OK, "broker-open")
	diagnosed(t, report.Findings, OK, "test-message-round-trip")
}

// TestDrainedAtOneOfTwo: the fix is for the name server that has it wiped.
func TestDrainedAtOneOfTwo(t *testing.T) {
	b := brokerWith(m("brokerActive", "true"), m("brokerName", "broker-a", "brokerPermission", "6"))
	b.Wiped = []string{"10.0.0.2:9876"}
	all := judgePermission(b)
	diagnosed(t, all, Warning, "broker-drained")
	if want := `"ringmq admin addWritePerm -b broker-a -n 10.0.0.2:9876"`; len(all) != 1 || !strings.Contains(all[0].Fix, want) {
		t.Errorf("%+v", all)
	}
}

// TestNotDrained: a broker's own topic that is not to be written says nothing of the others.
func TestNotDrained(t *testing.T) {
	t.Parallel()
	r := newRig(t, "brokerTopicEnable=false")
	for _, restart := range []bool{false, true} { // a topic that is there stays as it is when the key changes
		if restart {
			r.stop()
			r.start()
		}
		a := ask.New(r.o.Timeout)
		t.Cleanup(a.Close)
		if !(&visit{ask: a}).wipedAt(t.Context(), r.o.NameServers[0], "broker-a") {
			t.Fatal("the topic is open: nothing is tested")
		}
		report := Run(t.Context(), r.o)
		if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Name == "broker-drained" }) {
			t.Errorf("restart %v: %+v", restart, report.Findings)
		}
		diagnosed(t, report.Findings, OK, "broker-open")
	}
}
