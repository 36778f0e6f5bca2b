package bench

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func written(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteJSON(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	report := sampleTrouble()
	report.Details, report.Judged, report.Failures = []Detail{{"a", 1.5, "ms", lower}, {"b", -1, "", ""}}, true, []string{"c"}
	r, err := ReadResult(strings.NewReader(written(t, report)))
	if err != nil || len(r.A.Reports) != 1 || !reflect.DeepEqual(r.A.Reports[0], report) || r.A.Name != report.Name || r.B != nil {
		t.Errorf("a report: %v, %+v", err, r)
	}
	versus := sampleVersus()
	if r, err = ReadResult(strings.NewReader(written(t, versus))); err != nil || !reflect.DeepEqual(r, versus) {
		t.Errorf("a result: %v, %+v", err, r)
	}
	several := written(t, sampleReport("a", 1, 2, 0)) + written(t, []*Report{sampleReport("a", 1, 2, 1), sampleReport("a", 1, 2, 2)})
	if r, err = ReadResult(strings.NewReader(several)); err != nil || len(r.A.Reports) != 3 || r.A.Reports[2].PerSecond != sampleReport("a", 1, 2, 2).PerSecond {
		t.Errorf("several: %v, %+v", err, r)
	}
}

func TestReadResultRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no report"}, {"[]", "no report"}, {"{}", "neither"}, {"{", "EOF"}, {"[null]", "no report"}, {`[{}]`, "no report"}, {`"x"`, "cannot unmarshal"}, {"null", "neither"},
		{`{"A":{}}`, "no report of"}, {`{"A":{"Name":"x","Reports":[{}]}}`, "no report of \"x\""}, {`{"A":{"Reports":[{"Kind":"p"}]},"B":{"Name":"y"}}`, "no report of \"y\""},
		{`{"Kind":"p"}{"A":{"Reports":[{"Kind":"p"}]}}`, "neither"}, {`{"Kind":"p","Workload":{"Sizes":"-1"}}`, "size"},
		{fmt.Sprintf(`{"FormatVersion":%d,"A":{"Reports":[{"Kind":"p"}]}}`, formatVersion+1), fmt.Sprintf("is %d, of a later ringmq", formatVersion+1)},
	} {
		if _, err := ReadResult(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// FuzzReadResult: whatever a file holds is refused or can be rendered in every form, and pages stay whole.
func FuzzReadResult(f *testing.F) {
	f.Add(written(f, sampleTrouble()))
	f.Add(written(f, sampleReport("a", 1, 2, 0)) + "[]")
	f.Add(`{"Kind":"soak","Details":[{"Name":"a","Value":-1e308,"Unit":"bytes"},{"Name":"a"},{"Better":"lower"}],"Judged":true,"Failures":["x","<y>"]}`)
	f.Add(`{"Rounds":true,"A":{"Reports":[{"Kind":"p"}]},"B":{"Reports":[{"Kind":"q","Seconds":-1,"Requests":5,"Series":[{},{"BrokerCPU":1e300}],"Curve":[{"Percentile":120,"Ms":1}]}]}}`)
	f.Add(`{"Kind":"p","PerSecond":-1e308,"Requests":1,"Latency":{"P50":5e-324,"Max":1e308},"Series":[{"Messages":-5,"Latency":{"P50":1e308,"P99":1e-320}},{"BrokerBytes":-1}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadResult(strings.NewReader(text))
		if err != nil {
			return
		}
		if err := r.Text(io.Discard); err != nil {
			t.Error(err)
		}
		if err := (&Document{Title: "t", Results: []*Result{r, r}}).Write(io.Discard); err != nil {
			t.Error(err)
		}
		var page bytes.Buffer
		if err := (&Page{Title: "t", Results: []*Result{r, r}}).Write(&page); err != nil {
			t.Error(err)
		}
		if strings.Contains(page.String(), "<script") || strings.Count(page.String(), "<svg") != strings.Count(page.String(), "</svg>") {
			t.Error("the page is broken")
		}
	})
}
