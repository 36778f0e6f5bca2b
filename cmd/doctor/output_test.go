package doctor

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// sample is a report with a finding of every state.
func sampleReport() *Report {
	return &Report{NameServers: []string{"10.0.0.1:9876"}, Brokers: []string{"broker-a 172.17.0.2:10911"}, LookedAt: 2, Findings: sorted([]Finding{
		ok("names", "name-servers-agree", "10.0.0.1:9876", "1 broker, the same at 1 name server"),
		unknown("limits", "process-not-seen", "broker-a 172.17.0.2:10911", "its process is not on this machine").because("limits cannot be looked at", "run it there"),
		warning("config", "config-key-misspelt", "brokername (broker.conf:3)", "there is no key brokername").because("it has no effect", "write %s", "brokerName"),
		broken("address", "advertised-address-of-a-container", "broker-a 172.17.0.2:10911", "the route says 172.17.0.2:10911 <&>").because("clients cannot reach it", "set brokerIP1"),
	})}
}

// TestJSON: programs rely on the form, which testdata documents. Members are only added.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sampleReport().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.Bytes())
	b.Reset()
	if err := (&Report{}).WriteJSON(&b); err != nil || strings.Contains(b.String(), "null") {
		t.Error(err, b.String())
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := sampleReport().WriteTable(&b, false, 100); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.Bytes())
	for line := range strings.Lines(b.String()) {
		if n := len(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	b.Reset()
	if err := sampleReport().WriteTable(&b, true, 0); err != nil || strings.Count(b.String(), "\x1b[") != 8 {
		t.Error(err, b.String())
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

// TestFolding: many brokers that are all well take one row for each check; what is wrong is never folded.
func TestFolding(t *testing.T) {
	var all []Finding
	for range 5 {
		all = append(all, ok("disk", "disk-space", "b", "x"), broken("disk", "disk-full", "b", "x").because("w", "f"))
	}
	for range 3 {
		all = append(all, ok("disk", "disk-engine", "b", "x"))
	}
	rows := folded(sorted(all))
	if len(rows) != 5+1+3 {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}

// TestExitCode: nothing broken, something broken, nothing seen.
func TestExitCode(t *testing.T) {
	for want, r := range []*Report{
		{LookedAt: 1, Findings: []Finding{warning("a", "b", "c", "d")}},
		{LookedAt: 1, Findings: []Finding{broken("a", "b", "c", "d")}},
		{Findings: []Finding{broken("a", "b", "c", "d")}},
	} {
		if got := r.ExitCode(); got != want {
			t.Error(got, want)
		}
	}
}
