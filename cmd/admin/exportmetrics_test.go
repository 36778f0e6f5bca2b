package admin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// leaves are the paths of a JSON document's values, with their kinds; of lists only that they are lists.
func leaves(v any, at string, all map[string]string) {
	if m, ok := v.(map[string]any); ok {
		for k, one := range m {
			leaves(one, at+"/"+k, all)
		}
		return
	}
	all[at] = reflect.TypeOf(v).Kind().String()
}

// TestExportMetricsHasStocksShape: the file is that of stock's mqadmin 5.3.3, as it wrote it of a stock broker with one topic, one group
// and its member: the same names at the same places, numbers and texts alike, rates with a point.
func TestExportMetricsHasStocksShape(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustRun("updateTopic -b {broker} -t T -r 2 -w 2")
	m := r.dial(telling("T", 2, nil))
	m.beat("member", "G", "T")
	dir := t.TempDir()
	if out := r.mustRun("exportMetrics -c DefaultCluster -f " + dir); out != "export "+filepath.Join(dir, "metrics.json")+" success\n" {
		t.Errorf("%q", out)
	}
	ours, err1 := os.ReadFile(filepath.Join(dir, "metrics.json"))
	stock, err2 := os.ReadFile(filepath.Join("testdata", "metrics-5.3.3.json"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	shape := func(text []byte) map[string]string {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		leaves(v, "", all)
		return all
	}
	want, got := shape(stock), shape(ours)
	if !reflect.DeepEqual(want, got) {
		t.Errorf("the file has\n%v\nstock's has\n%v", got, want)
	}
	var file exportedMetrics
	if err := json.Unmarshal(ours, &file); err != nil {
		t.Fatal(err)
	}
	b := file.Brokers["broker-a"]
	if b == nil || b.Quota.Topics != 1 || b.Quota.Groups != 1 || len(b.Version.Clients) != 1 || !strings.HasPrefix(b.Version.Clients[0], "JAVA%V") {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(string(ours), `"normalInTps": 0.0,`) {
		t.Error("a rate has no point")
	}
}

// TestFiguresOf: the shortest span of a rate, none of a broker that has just begun, and an error that names what is no number.
func TestFiguresOf(t *testing.T) {
	t.Parallel()
	f := figuresOf{addr: "b", runtime: map[string]string{"put": "1.5 2.5 3.5", "new": "  ", "old": "7.0 8.0 9.0", "odd": "x", "n": "-3"}}
	if got := []perSecond{f.rate("put"), f.rate("new"), f.rate("newer", "old"), perSecond(f.count("n"))}; !reflect.DeepEqual(got, []perSecond{1.5, 0, 7, -3}) || f.err != nil {
		t.Error(got, f.err)
	}
	for _, read := range []func(*figuresOf){func(f *figuresOf) { f.rate("odd") }, func(f *figuresOf) { f.rate("none", "nor") }, func(f *figuresOf) { f.count("none") }} {
		one := f
		if read(&one); one.err == nil || !strings.HasPrefix(one.err.Error(), "b: its figure ") {
			t.Error(one.err)
		}
	}
}
