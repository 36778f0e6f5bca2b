package backup

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"ringmq/store/record"
)

func FuzzManifest(f *testing.F) {
	m := Manifest{FormatVersion: formatVersion, State: StateComplete, Broker: "b", To: 9, Keys: map[string]string{"a": "b"}, Damaged: [][2]int64{{1, 2}}}
	m.Sum = m.sum()
	b, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"formatVersion":1,"state":"complete","sum":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err == nil && (m.From < 0 || m.To < m.From || m.Sum != m.sum()) {
			t.Errorf("%+v", m)
		}
	})
}

// FuzzVerify: whatever lies in a log, it is looked at to its end, and no more records are found than there can be.
func FuzzVerify(f *testing.F) {
	const segment = 4096
	host := netip.MustParseAddrPort("127.0.0.1:10911")
	r := record.Record{BornHost: host, StoreHost: host, Topic: []byte("T"), Body: []byte("body"), QueueOffset: 0, Properties: record.AppendProperty(nil, "TAGS", "a")}
	whole := record.AppendAs(nil, &r, record.PlanProperties(r.Properties, false))
	f.Add(whole, int64(len(whole)), true)
	f.Add(append([]byte("rot"), whole...), int64(segment), false)
	f.Add([]byte{}, int64(0), true)
	keys := map[string]string{"mappedFileSizeCommitLog": "4096"}
	c, err := configOf("/store", keys)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, to int64, complete bool) {
		dir := t.TempDir()
		log := filepath.Join(dir, "commitlog")
		if err := os.Mkdir(log, 0o755); err != nil {
			t.Fatal(err)
		}
		all := make([]byte, segment)
		copy(all, b)
		if err := os.WriteFile(filepath.Join(log, "00000000000000000000"), all, 0o644); err != nil {
			t.Fatal(err)
		}
		m := &Manifest{State: StateUnderWay, To: min(max(to, 0), segment), Keys: keys}
		if complete {
			m.State = StateComplete
		}
		rep, err := verifyWith(t.Context(), dir, m, c, nil)
		if err != nil || rep.Records > segment/record.MinRecordBytes || rep.LogBytes > segment {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}
