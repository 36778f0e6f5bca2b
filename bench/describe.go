package bench

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"
)

// describe says in words what a workload does.
func describe(w *Workload) string {
	d := w.withDefaults()
	w = &d
	parts := []string{}
	if w.Rate > 0 {
		loop := fmt.Sprintf("open loop at %s messages/s", Count(w.Rate))
		if w.Poisson {
			loop += " (random intervals)"
		}
		parts = append(parts, fmt.Sprintf("%s over %s", loop, plural(w.Conns, "connection")))
	} else {
		parts = append(parts, fmt.Sprintf("closed loop: %s, %s in flight on each", plural(w.Conns, "connection"), plural(w.Window, "request")))
	}
	parts = append(parts, fmt.Sprintf("%s of %s", plural(w.Topics, "topic"), plural(w.Queues, "queue")), "bodies of "+w.Sizes.String()+" bytes")
	if w.Batch > 1 {
		parts = append(parts, fmt.Sprintf("%d messages a request", w.Batch))
	}
	for _, o := range []struct {
		on   bool
		text string
	}{{w.Oneway, "one-way"}, {w.Tag != "", "tag " + w.Tag}, {w.Keys, "a key each"}, {w.Property > 0, fmt.Sprintf("a property of %d bytes", w.Property)}} {
		if o.on {
			parts = append(parts, o.text)
		}
	}
	return strings.Join(append(parts, w.Encoding+" headers"), ", ")
}

// differences names the settings in which two workloads differ, but for what tells the targets apart.
func differences(a, b *Workload) (out []string) {
	members := func(w Workload) (m map[string]any) {
		w = w.withDefaults()
		w.Addr, w.PID = "", 0
		text, _ := json.Marshal(w)
		_ = json.Unmarshal(text, &m)
		return m
	}
	x, y := members(*a), members(*b)
	for name := range x {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, fmt.Sprintf("%s (%s and %s)", name, setting(name, x[name]), setting(name, y[name])))
		}
	}
	sort.Strings(out)
	return out
}

// setting writes one setting's value; durations are numbers in JSON.
func setting(name string, v any) string {
	if f, ok := v.(float64); ok {
		if t, found := reflect.TypeFor[Workload]().FieldByName(name); found && t.Type == reflect.TypeFor[time.Duration]() {
			return time.Duration(f).String()
		}
		return Count(f)
	}
	if v == "" {
		return "none"
	}
	return fmt.Sprint(v)
}
