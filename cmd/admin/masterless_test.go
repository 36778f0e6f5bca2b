package admin

import (
	"strings"
	"testing"
)

// TestMasterless: while only slaves are listed, commands for masters say so, and name them; stock's print nothing, or a topic that was made nowhere.
func TestMasterless(t *testing.T) {
	t.Parallel()
	r := newRig(t, "brokerName=broker-b", "brokerClusterName=Other")
	slave, _ := r.start("brokerRole=SLAVE", "brokerId=1")
	want := "the slave broker-a/1 at " + slave.Addr().String()
	r.until("the slave is registered", func() bool {
		out, err := r.run("clusterList")
		return err == nil && strings.Contains(out, slave.Addr().String())
	})
	for words, begin := range map[string]string{
		"haStatus -c DefaultCluster":         "no master of cluster DefaultCluster is registered, only ",
		"updateTopic -c DefaultCluster -t T": "no master of cluster DefaultCluster is registered, only ",
		"haStatus -b broker-a":               "no master of broker broker-a is registered, only ",
		"lag -w 1":                           "no master of broker broker-a is registered, only ",
	} {
		if _, err := r.run(words); err == nil || err.Error() != begin+want {
			t.Errorf("%s: %v, not %s%s", words, err, begin, want)
		}
	}
	if out, err := r.run("brokerStatus -c DefaultCluster"); err != nil || !strings.Contains(out, "brokerActive") {
		t.Error(err, out)
	}
	if out, err := r.run("haStatus -b " + slave.Addr().String()); err != nil || !strings.Contains(out, "#MasterAddr") {
		t.Error(err, out)
	}
}
