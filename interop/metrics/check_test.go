package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDashboards: every panel has a query, and none has a variable that nobody fills in.
func TestDashboards(t *testing.T) {
	for _, name := range []string{"ringmq.json", "rocketmq.json"} {
		all, err := panels(filepath.Join("..", "..", "deploy", "grafana", name))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) < 30 {
			t.Errorf("%s: %d queries", name, len(all))
		}
		for _, q := range all {
			if q.expr == "" || strings.Contains(q.expr, "$") {
				t.Errorf("%s: %q", q.name, q.expr)
			}
		}
	}
}

// TestCheck: an expression without data fails, one with data passes, an alert loses its threshold, and one that has none is found out.
func TestCheck(t *testing.T) {
	rules, asked := "", map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/rules" {
			_, _ = w.Write([]byte(`{"status":"success","data":{"groups":[{"rules":[` + rules + `]}]}}`))
			return
		}
		q := r.URL.Query().Get("query")
		asked[q] = true
		switch {
		case strings.Contains(q, "none"):
			_, _ = w.Write([]byte(`{"status":"success","data":{"result":[]}}`))
		case strings.Contains(q, "wrong"):
			_, _ = w.Write([]byte(`{"status":"error","error":"parse error"}`))
		default:
			_, _ = w.Write([]byte(`{"status":"success","data":{"result":[{}]}}`))
		}
	}))
	defer s.Close()
	dashboard := func(expr string) string {
		path := filepath.Join(t.TempDir(), "d.json")
		if err := os.WriteFile(path, []byte(`{"panels":[{"title":"P","targets":[{"refId":"A","expr":"`+expr+`"}]}]}`), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		rule, expr string
		ok         bool
	}{
		{`{"name":"A","query":"rate(x[5m]) > 0.5","health":"ok"}`, "up{node=~\\\"$node\\\"}", true},
		{`{"name":"A","query":"x == 0","health":"ok"}`, "none", false},
		{`{"name":"A","query":"x == 0","health":"ok"}`, "wrong", false},
		{`{"name":"A","query":"none < -1","health":"ok"}`, "up", false},
		{`{"name":"A","query":"x","health":"ok"}`, "up", false},
		{`{"name":"A","query":"x > 1","health":"err","lastError":"many-to-many"}`, "up", false},
		{``, "up", false},
	} {
		rules = c.rule
		if err := check(s.URL, []string{dashboard(c.expr)}); (err == nil) != c.ok {
			t.Errorf("%s and %s: %v", c.rule, c.expr, err)
		}
	}
	for _, q := range []string{"rate(x[5m])", `up{node=~".*"}`} {
		if !asked[q] {
			t.Errorf("%s was not asked", q)
		}
	}
}
