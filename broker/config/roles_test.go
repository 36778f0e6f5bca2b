package config

import (
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting/settings"
)

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		text    string
		role    Role
		id      int64
		copies  int
		min     int
		port    int
		assumed string // what is said at the start
	}{
		{"", AsyncMaster, 0, 1, 1, 10912, ""},
		{"brokerId=0\nbrokerRole=ASYNC_MASTER\ninSyncReplicas=2\nminInSyncReplicas=2", AsyncMaster, 0, 1, 1, 10912, ""},
		{"brokerRole=SYNC_MASTER", SyncMaster, 0, 2, 1, 10912, "without inSyncReplicas means 2 copies"},
		{"brokerRole=SYNC_MASTER\ninSyncReplicas=1", SyncMaster, 0, 1, 1, 10912, ""},
		{"brokerRole=SYNC_MASTER\ninSyncReplicas=3\nminInSyncReplicas=2\nlistenPort=20911", SyncMaster, 0, 3, 2, 20912, ""},
		{"brokerRole=ASYNC_MASTER\nbrokerId=7", AsyncMaster, 0, 1, 1, 10912, "broker.conf:2: brokerId=7 counts for nothing"},
		{"brokerRole=SLAVE\nbrokerId=7\nhaListenPort=0\nlistenPort=20911", Slave, 7, 1, 1, 20912, ""},
		{"listenPort=20911\nhaListenPort=10912", AsyncMaster, 0, 1, 1, 10912, ""},
		{"listenPort=0", AsyncMaster, 0, 1, 1, 0, ""},
	} {
		got := must(t, c.text)
		copies, _ := got.Copies()
		said := strings.Join(got.Assumed(), "; ")
		if got.Role() != c.role || got.ID() != c.id || copies != c.copies || got.Replication().MinCopies != c.min || got.HAPort() != c.port ||
			!strings.Contains(said, c.assumed) || c.assumed == "" && said != "" {
			t.Errorf("%q: %s %d, %d copies, %d at least, port %d, %q", c.text, got.Role(), got.ID(), copies, got.Replication().MinCopies, got.HAPort(), said)
		}
	}
}

func TestReplicationKeys(t *testing.T) {
	r := must(t, "brokerRole=SYNC_MASTER").Replication()
	if r.SlaveTimeout != 3*time.Second || r.MaxGapBytes != 256<<20 || r.HeartbeatTime != 5*time.Second || r.HousekeepingTime != 20*time.Second || r.MaxBytesPerSec != 0 || r.Auto {
		t.Errorf("%+v", r)
	}
	if r = must(t, "haFlowControlEnable=true\nslaveTimeout=100\nenableAutoInSyncReplicas=true").Replication(); r.MaxBytesPerSec != 100<<20 || r.SlaveTimeout != 100*time.Millisecond || !r.Auto {
		t.Errorf("%+v", r)
	}
	if n := must(t, "haTransferBatchSize=65536").Replication().PieceBytes; r.PieceBytes != 0 || n != 65536 {
		t.Errorf("pieces of %d and %d bytes", r.PieceBytes, n)
	}
	if master, slave := must(t, "").StoreOptions().Limits.MemoryRatio, must(t, "brokerRole=SLAVE\nbrokerId=1").StoreOptions().Limits.MemoryRatio; master != 40 || slave != 30 {
		t.Error("memory ratios:", master, slave)
	}
}

// TestShownIsInForce: what -p and request 26 show is what the broker does, and nothing of it counts as set. Stock shows the same of ports,
// ids and the slave's ratio.
func TestShownIsInForce(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"":                       {"haListenPort": "10912", "inSyncReplicas": "1", "brokerId": "0", "accessMessageInMemoryMaxRatio": "40"},
		"listenPort=11911":       {"haListenPort": "11912"},
		"haListenPort=0":         {"haListenPort": "10912"},
		"haListenPort=7000":      {"haListenPort": "7000"},
		"brokerRole=SYNC_MASTER": {"inSyncReplicas": "2"},
		"brokerRole=SYNC_MASTER\ninSyncReplicas=1\nbrokerId=7":           {"inSyncReplicas": "1", "brokerId": "0"},
		"brokerRole=SLAVE\nbrokerId=7":                                   {"inSyncReplicas": "1", "brokerId": "7", "accessMessageInMemoryMaxRatio": "30"},
		"brokerRole=SLAVE\nbrokerId=1\naccessMessageInMemoryMaxRatio=50": {"accessMessageInMemoryMaxRatio": "40"},
		"brokerRole=ASYNC_MASTER\nlistenPort=20911\nbrokerIP1=127.0.0.1": {"haListenPort": "20912", "brokerIP2": "10.1.2.3"},
	} {
		c := must(t, text)
		again, err := New(c.Values)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			line := key + "=" + value + "\n"
			if again.Text(key) != value || !strings.Contains("\n"+c.Grouped(), "\n"+line) || !strings.Contains("\n"+c.Properties(), "\n"+line) {
				t.Errorf("%q: %s is %s, want %s", text, key, again.Text(key), value)
			}
			if _, ok := c.Found(key); ok != strings.Contains(text, key) {
				t.Errorf("%q: %s counts as set: %v", text, key, ok)
			}
		}
	}
	slave := must(t, "brokerRole=SLAVE\nbrokerId=1")
	if _, err := slave.Change([]settings.Setting{{Key: "accessMessageInMemoryMaxRatio", Value: "45"}}); err != nil || slave.StoreOptions().Limits.MemoryRatio != 45 {
		t.Error("what a request sets is in force as it stands, as on stock:", err, slave.StoreOptions().Limits.MemoryRatio)
	}
}
