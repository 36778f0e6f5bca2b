package broker

import (
	"testing"

	"ringmq/netpoll/remoting"
)

// figures is the table of the answer to 28, with what is ours if that is asked for.
func (c *client) figures(ours bool) map[string]string {
	c.t.Helper()
	req := request(remoting.CodeGetBrokerRuntimeInfo)
	if ours {
		req.Set("diskEngine", "true")
	}
	var table remoting.KVTable
	if err := remoting.Unmarshal(c.call(req).Body, &table); err != nil {
		c.t.Fatal(err)
	}
	return table.Table
}

// TestRuntimeFiguresOfOurs: what stock has no key for is told to who asks for it only, and leaves the others' keys alone.
func TestRuntimeFiguresOfOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plain, all := r.dial().figures(false), r.dial().figures(true)
	for key, want := range map[string]string{"ringmqVersion": "test", "diskEngine": "pwrite", "logStandsStillMs": "0"} {
		if _, there := plain[key]; there || all[key] != want {
			t.Errorf("%s is %q, want %q; told to everybody: %v", key, all[key], want, there)
		}
	}
	for key := range plain {
		if _, there := all[key]; !there {
			t.Errorf("%s is missing", key)
		}
	}
	if plain["brokerVersionDesc"] != "V5_3_3" || all["brokerVersionDesc"] != "V5_3_3" {
		t.Error("the release is", plain["brokerVersionDesc"], all["brokerVersionDesc"])
	}
}
