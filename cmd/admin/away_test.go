package admin

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// registerAbsent has the name server list a master that nobody answers for, with topics of two queues, until the test ends.
func (r *rig) registerAbsent(name string, topics ...string) (addr string) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	var b remoting.RegisterBrokerBody
	b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{}
	for _, topic := range topics {
		config := remoting.NewTopicConfig(topic, 2, 6)
		b.TopicConfigSerializeWrapper.TopicConfigTable[topic] = &config
	}
	body, err := json.Marshal(&b)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := netpoll.Dial(context.Background(), r.ns.Addr().String(), netpoll.DialOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	(&member{Client: c, t: r.t}).must(remoting.CodeRegisterBroker, string(body), "clusterName", "DefaultCluster", "brokerName", name, "brokerAddr", addr, "brokerId", "0", "haServerAddr", "127.0.0.1:1")
	return addr
}

// TestProgressBesideAnAbsentMaster: what the others say is shown, and who says nothing is named once.
func TestProgressBesideAnAbsentMaster(t *testing.T) {
	t.Parallel()
	r, _ := lagging(t)
	absent := r.registerAbsent("broker-0", "T", "%RETRY%G", "%RETRY%Alone")
	r.until("the group's own topic is in the routes", func() bool {
		out, err := r.run("topicRoute -t %RETRY%G")
		return err == nil && strings.Contains(out, "broker-a") && strings.Contains(out, "broker-0")
	})
	r.o.Wait = func(context.Context, time.Duration) error { return nil }
	for words, want := range map[string]string{
		"lag -g G --output csv":              "G,T,3,",
		"lag --output csv":                   "G,T,3,",
		"consumerProgress -g G --output csv": "T,broker-a,0,5,3,2,",
		"consumerProgress --output csv":      ",PUSH,CLUSTERING,0,3\n",
	} {
		out, err := r.run(words)
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q in what the other master said: %s", words, want, out)
		}
		if err == nil || strings.Count(err.Error(), absent) != 1 {
			t.Errorf("%s: %v does not name %s once", words, err, absent)
		}
	}
	for _, words := range []string{"consumerProgress -g Alone", "cloneGroupOffset -s G -d H -t T"} { // nothing to show, and nothing to do by halves
		if out, err := r.run(words); err == nil || !strings.Contains(err.Error(), absent) || strings.Contains(out, "success") {
			t.Errorf("%s: %v: %s", words, err, out)
		}
	}
}

// TestStatusBesideDeafMembers: what the other members say is shown, and who says nothing that can be read is named once.
func TestStatusBesideDeafMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	deaf := func(int32) string { return "no JSON" }
	r.dial(telling("TBW102", 1, nil)).beat("tells", "G", "TBW102")
	r.dial(deaf).beat("silent", "G", "TBW102")
	r.dial(deaf).beat("silent", "Deaf", "TBW102")
	out, err := r.run("consumerStatus -g G -b broker-a --output json")
	var all struct {
		Members []struct {
			ClientID string `json:"clientId"`
		} `json:"members"`
		Same *bool `json:"sameSubscription"`
	}
	if bad := json.Unmarshal([]byte(out), &all); bad != nil || len(all.Members) != 1 || all.Members[0].ClientID != "tells" || all.Same == nil || !*all.Same {
		t.Errorf("%v, not the member that tells alone: %s", bad, out)
	}
	if err == nil || strings.Count(err.Error(), "silent") != 1 || strings.Contains(err.Error(), "tells") {
		t.Errorf("%v does not name the deaf member once", err)
	}
	out, err = r.run("consumerStatus -g Deaf -b broker-a --output csv")
	if err == nil || strings.Count(err.Error(), "silent") != 1 || strings.Contains(out, "silent") {
		t.Errorf("%v, where nobody tells: %s", err, out)
	}
}
