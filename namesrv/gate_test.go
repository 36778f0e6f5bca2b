package namesrv

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// TestStrangersMayNotAdminister: routes and registrations are for everybody, what changes or lists more is not.
func TestStrangersMayNotAdminister(t *testing.T) {
	_, c := startAltered(t, Options{}, func(s *Server) {
		s.admits = func(_ *netpoll.Conn, req *remoting.Command) bool { return !remoting.IsAdmin(req.Code) }
	})
	registerTopics(t, c, "b", "1.1.1.1:1", "T", "U")
	for code, want := range map[int32]int32{
		remoting.CodeGetRouteinfoByTopic: 0, remoting.CodeGetBrokerClusterInfo: 0, remoting.CodeGetBrokerMemberGroup: 0, remoting.CodeBrokerHeartbeat: 0,
		remoting.CodePutKvConfig: 16, remoting.CodeDeleteKvConfig: 16, remoting.CodeUpdateNamesrvConfig: 16, remoting.CodeGetNamesrvConfig: 16,
		remoting.CodeWipeWritePermOfBroker: 16, remoting.CodeAddWritePermOfBroker: 16, remoting.CodeDeleteTopicInNamesrv: 16, remoting.CodeRegisterTopicInNamesrv: 16,
		remoting.CodeGetAllTopicListFromNameserver: 16, remoting.CodeGetTopicsByCluster: 16, remoting.CodeGetSystemTopicListFromNs: 16,
		remoting.CodeGetUnitTopicList: 16, remoting.CodeGetKvlistByNamespace: 16, 999: 3,
	} {
		resp := call(t, c, request(code, "topic=T", "brokerName=b"))
		if resp.Code != want || want == 16 && !strings.Contains(string(resp.Remark), "adminAllowedCidrs") {
			t.Error(remoting.CodeName(code), resp.Code, string(resp.Remark))
		}
	}
	if resp := call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic=T")); resp.Code != 0 {
		t.Error("the topic is gone:", resp.Code)
	}
}

// TestStrangersAreNoBrokers: with a gate for brokers nobody else registers, takes out or keeps alive, and routes are for everybody.
func TestStrangersAreNoBrokers(t *testing.T) {
	var strange atomic.Bool
	_, c := startAltered(t, Options{}, func(s *Server) {
		if !s.admitsBroker(nil, request(remoting.CodeRegisterBroker)) {
			t.Error("without brokerAllowedCidrs")
		}
		s.admitsBroker = func(_ *netpoll.Conn, req *remoting.Command) bool {
			return !strange.Load() || !remoting.IsBrokers(req.Code)
		}
		s.brokers = netpoll.NewBrokerGate([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, s.logger)
		if !s.brokers.Admits(nil, request(remoting.CodeGetRouteinfoByTopic)) {
			t.Error("a route is for everybody")
		}
	})
	registerTopics(t, c, "b", "1.1.1.1:1", "T", "U")
	strange.Store(true)
	for code, want := range map[int32]int32{
		remoting.CodeGetRouteinfoByTopic: 0, remoting.CodeGetBrokerClusterInfo: 0, remoting.CodeGetBrokerMemberGroup: 0,
		remoting.CodeRegisterBroker: 16, remoting.CodeUnregisterBroker: 16, remoting.CodeBrokerHeartbeat: 16, remoting.CodeQueryDataVersion: 16,
	} {
		resp := call(t, c, request(code, "topic=T", "brokerName=b", "brokerAddr=1.1.1.1:1", "clusterName=c"))
		if resp.Code != want || want == 16 && !strings.Contains(string(resp.Remark), "brokerAllowedCidrs") {
			t.Error(remoting.CodeName(code), resp.Code, string(resp.Remark))
		}
	}
	if resp := call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic=T")); resp.Code != 0 {
		t.Error("the broker is gone:", resp.Code)
	}
}

func TestNetworksOfBrokers(t *testing.T) {
	one, err := settings.FromFlag("brokerAllowedCidrs=10.1")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Keys().Merge([]settings.Setting{one})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(v); err == nil || !strings.Contains(err.Error(), "brokerAllowedCidrs=10.1") {
		t.Error(err)
	}
}

func TestNetworksOfAdministrators(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "10.1.0.0/16": "10.1.0.0/16", "10.1.0.9; fd00::/8, 0.0.0.0/0": "10.1.0.9/32 fd00::/8 0.0.0.0/0",
		"10.1": "neither", "host": "neither", "10.0.0.0/33": "neither", "fe80::1%eth0": "neither",
	} {
		one, err := settings.FromFlag("adminAllowedCidrs=" + text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Keys().Merge([]settings.Setting{one})
		if err != nil {
			t.Fatal(err)
		}
		all, err := v.Prefixes("adminAllowedCidrs")
		var got []string
		for _, p := range all {
			got = append(got, p.String())
		}
		if err != nil {
			got = []string{"neither"}
			if !strings.Contains(err.Error(), "adminAllowedCidrs="+text) || Check(v) == nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
