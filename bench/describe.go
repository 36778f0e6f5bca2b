package bench

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"
)

// describe says in words what the report's workload does.
func (r *Report) describe() string {
	w := r.Workload.withDefaults()
	k := r.kind()
	sends := k.noun != "pull"
	parts := append(r.purpose(&w), w.loop(r.Kind, sends), fmt.Sprintf("%s of %s", plural(w.Topics, "topic"), plural(w.Queues, "queue")))
	if r.Kind != "consume" && r.Kind != "verify" || sends || w.Fill {
		parts = append(parts, w.content()...)
	}
	if !sends || r.Kind == "endtoend" || r.Kind == "soak" {
		parts = append(parts, fmt.Sprintf("up to %s a pull", plural(w.PullMessages, "message")))
		if w.Groups > 1 {
			parts = append(parts, fmt.Sprintf("all of it to each of %d groups", w.Groups))
		}
	}
	return strings.Join(append(parts, w.Encoding+" headers"), ", ")
}

// purpose is what is told ahead of the load.
func (r *Report) purpose(w *Workload) (parts []string) {
	switch {
	case r.Kind == "consume" && w.Fill:
		parts = append(parts, fmt.Sprintf("%s sent first", plural(w.FillMessages, "message")))
	case r.Kind == "catchup" && w.BacklogBytes > 0:
		parts = append(parts, "a backlog of "+Bytes(float64(w.BacklogBytes)))
	case r.Kind == "soak" && w.PeakShare > 0:
		parts = append(parts, fmt.Sprintf("%.0f %% of the peak", 100*w.PeakShare))
	case r.Kind == "verify" && w.Check:
		parts = append(parts, "check of what was acknowledged before, as "+w.Ledger+" has it")
	}
	if r.Kind == "consume" && w.Drain {
		parts = append(parts, "read to the end")
	}
	if r.Kind == "consume" && w.Again {
		parts = append(parts, "read again and again")
	}
	if r.Kind == "catchup" {
		parts = append(parts, map[bool]string{true: "read from the disk", false: "read from the page cache as far as it is there"}[w.DropCache])
	}
	return parts
}

// loop says how requests follow each other.
func (w *Workload) loop(kind string, sends bool) string {
	switch {
	case !sends && kind != "catchup":
		return fmt.Sprintf("%s, up to %s in flight on each, one a queue", plural(w.Conns, "connection"), plural(w.Window, "pull"))
	case w.Rate > 0:
		loop := fmt.Sprintf("open loop at %s messages/s", Count(w.Rate))
		if w.Poisson {
			loop += " (random intervals)"
		}
		return fmt.Sprintf("%s over %s", loop, plural(w.Conns, "connection"))
	}
	return fmt.Sprintf("closed loop: %s, %s in flight on each", plural(w.Conns, "connection"), plural(w.Window, "request"))
}

// content says what is sent.
func (w *Workload) content() []string {
	parts := []string{"bodies of " + w.Sizes.String()}
	if !strings.ContainsAny(parts[0][len("bodies of "):], sizeUnits) {
		parts[0] += " bytes"
	}
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
	return parts
}

// differences names the settings in which two workloads differ, but for what tells the targets apart.
func differences(a, b *Workload) (out []string) {
	members := func(w Workload) (m map[string]any) {
		w = w.withDefaults()
		w.Addr, w.PID, w.Namesrv = "", 0, ""
		text, _ := json.Marshal(w)
		_ = json.Unmarshal(text, &m)
		return m
	}
	x, y := members(*a), members(*b)
	for name := range x {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, fmt.Sprintf("%s (%s and %s)", flagOf(name), setting(name, x[name]), setting(name, y[name])))
		}
	}
	sort.Strings(out)
	return out
}

// flagOf is the flag that sets a member of a workload.
func flagOf(member string) string {
	if flag, ok := map[string]string{
		"Conns": "connections", "Sizes": "size", "WarmUp": "warm-up", "BacklogBytes": "backlog", "GrowthMiBHour": "growth", "PullMessages": "pull-messages",
		"DropCache": "drop-cache", "PeakShare": "peak-share", "FillMessages": "fill-messages",
	}[member]; ok {
		return "--" + flag
	}
	return "--" + strings.ToLower(member)
}

// setting writes one setting's value; durations are numbers in JSON.
func setting(name string, v any) string {
	if f, ok := v.(float64); ok {
		if t, found := reflect.TypeFor[Workload]().FieldByName(name); found && t.Type == reflect.TypeFor[time.Duration]() {
			return time.Duration(f).String()
		}
		return Count(f)
	}
	if v == "" || v == nil {
		return "none"
	}
	return fmt.Sprint(v)
}
