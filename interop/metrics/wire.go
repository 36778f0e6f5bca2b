package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// family is a metric as a broker shows it: its type, and its samples by their labels.
type family struct {
	kind    string
	samples map[string]float64
	labels  map[string]bool // names, le apart
	bounds  map[float64]bool
	typed   string // its name in the TYPE line
	stamped bool   // a sample has a time
	whole   string // how a bound without a fraction is written
}

// about are labels that say which broker it is and which library shows it: the same on every sample.
var about = map[string]string{"cluster": "DefaultCluster", "node_type": "broker", "node_id": "broker-a", "otel_scope_name": "broker-meter"}

var (
	sampleLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)( \d+)?$`)
	labelText  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
	partOf     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// read parses a scrape. Stock's TYPE lines lack the unit that the names of their samples have, so that a sample is of the type before it,
// and a family called by the names of its samples.
func read(r io.Reader) (map[string]*family, error) {
	all := map[string]*family{}
	typed, kind := "", ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			typed, kind, _ = strings.Cut(rest, " ")
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("no sample: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		name, part := m[1], ""
		if kind == "histogram" {
			part = partOf.FindString(name)
			name = strings.TrimSuffix(name, part)
		}
		f := all[name]
		if f == nil {
			f = &family{kind: kind, samples: map[string]float64{}, labels: map[string]bool{}, bounds: map[float64]bool{}, typed: typed}
			all[name] = f
		}
		f.stamped = f.stamped || m[4] != ""
		if err := f.add(part, m[2], value); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	return all, lines.Err()
}

func (f *family) add(part, labels string, value float64) error {
	var words []string
	for _, l := range labelText.FindAllStringSubmatch(labels, -1) {
		name, v := l[1], l[2]
		if name == "le" {
			bound, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return err
			}
			f.bounds[bound] = true
			if v != "+Inf" && bound == float64(int64(bound)) {
				f.whole = v
			}
			v = fmt.Sprint(bound)
		} else {
			f.labels[name] = true
		}
		if want, ok := about[name]; !ok {
			words = append(words, name+"="+v)
		} else if v != want {
			return fmt.Errorf("%s is not %s", name, want)
		}
	}
	slices.Sort(words)
	f.samples[part+"{"+strings.Join(words, ",")+"}"] = value
	return nil
}

// difference is a line about something that two scrapes do not have in common.
type difference struct{ name, what string }

// moment are metrics whose values are of the moment or times: their series are compared, not the values.
var moment = regexp.MustCompile(`_(latency|time)_milliseconds$|^rocketmq_storage_|^rocketmq_processor_watermark$`)

// timings are histograms of times: how many there were is compared, not in which bucket they fell.
var timings = regexp.MustCompile(`_create_execution_time_milliseconds$|^rocketmq_rpc_latency_milliseconds$`)

// differences between what a stock broker shows and what ours does under stock's names.
func differences(stock, ours map[string]*family) (all []difference) {
	names := maps.Clone(stock)
	maps.Copy(names, ours)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasPrefix(name, "rocketmq_") && name != "target_info" && name != "otel_scope_info" {
			continue
		}
		add := func(format string, args ...any) { all = append(all, difference{name, fmt.Sprintf(format, args...)}) }
		s, o := stock[name], ours[name]
		if s == nil || o == nil {
			add("shown by one: stock %t, ours %t", s != nil, o != nil)
			continue
		}
		if s.kind != o.kind {
			add("type: stock %s, ours %s", s.kind, o.kind)
		}
		if s.typed != o.typed {
			add("name in the TYPE line: stock %s, ours %s", s.typed, o.typed)
		}
		if s.stamped != o.stamped {
			add("samples have times: stock %t, ours %t", s.stamped, o.stamped)
		}
		if strings.Contains(s.whole, ".") != strings.Contains(o.whole, ".") {
			add("text of a bound: stock %s, ours %s", s.whole, o.whole)
		}
		if !maps.Equal(s.labels, o.labels) {
			add("labels: stock %v, ours %v", slices.Sorted(maps.Keys(s.labels)), slices.Sorted(maps.Keys(o.labels)))
		}
		if !maps.Equal(s.bounds, o.bounds) {
			add("buckets: stock %v, ours %v", slices.Sorted(maps.Keys(s.bounds)), slices.Sorted(maps.Keys(o.bounds)))
		}
		series := maps.Clone(s.samples)
		maps.Copy(series, o.samples)
		for _, key := range slices.Sorted(maps.Keys(series)) {
			if name == "rocketmq_rpc_latency_milliseconds" && !strings.HasPrefix(key, "_count") {
				continue // the other samples of a series come with it
			}
			before, there := s.samples[key]
			now, here := o.samples[key]
			switch {
			case !there || !here:
				add("series %s: stock %t, ours %t", key, there, here)
			case timings.MatchString(name) && !strings.HasPrefix(key, "_count"), moment.MatchString(name) && !timings.MatchString(name):
			case before != now:
				add("value of %s: stock %v, ours %v", key, before, now)
			}
		}
	}
	return all
}

// meant are the differences that there are to be, and why. Each of them must be there, except what depends on the moment.
var meant = []struct {
	name, what, why string
	perhaps         bool
}{
	{`^rocketmq_(pop|timer)_`, `^shown by one: stock true`, "pop and timers are not built yet", false},
	{`^(target|otel_scope)_info$`, `^type: stock info, ours gauge`,
		"info is a type of OpenMetrics; in the format that both answer with a Prometheus takes it for none", false},
	{`_(milliseconds|bytes)$|^target_info$|^otel_scope_info$`, `^name in the TYPE line`,
		"stock's TYPE lines lack the unit, a fault of its library that is mended since; a Prometheus then has no type for the samples", false},
	{`^rocketmq_`, `^samples have times: stock true`, "they are those of the scrape, which Prometheus knows", false},
	{`.`, `^text of a bound: stock \d+\.0, ours \d`, "1 and 1.0 are the same bound; Prometheus 3 writes both as 1.0", false},
	{`^rocketmq_consumer_(lag|inflight|ready|queueing)_`, `^series .*consumer_group=TOOLS_CONSUMER.*stock true`,
		"stock takes a group that has pulled without saying that it is there for one that is online, and always has it 0 behind", false},
	{`^rocketmq_(messages_in_total|throughput_in_total|message_size)$`, `^series .*topic=ReadsMade.*stock true`, "figures of a deleted topic end with it", false},
	{`^rocketmq_(throughput_in_total|message_size)$`, `^value of .*topic=RMQ_SYS_TRACE_TOPIC`, "a trace has times of the client's in it, as text", true},
	{`^rocketmq_rpc_latency_milliseconds$`, `^series .*request_code=query_consumer_offset,`,
		"an empty queue that begins at 0 answers 0, so that a message stored before the next question is not missed", false},
	{`^rocketmq_rpc_latency_milliseconds$`, `^series .*request_code=query_message,response_code=success`,
		"stock leaves the label is_long_polling off its answers to this request alone", false},
	{`^rocketmq_rpc_latency_milliseconds$`, `^series .*request_code=pull_message`,
		"which pulls had to wait, and which were waiting when their client left, depends on the moment", true},
	{`^rocketmq_rpc_latency_milliseconds$`, `^value of .*request_code=(heart_beat|lock_batch_mq|get_consumer_list_by_group|(query|update)_consumer_offset),`,
		"how often clients tell that they are there and ask for their share depends on the moment", true},
	{`^rocketmq_rpc_latency_milliseconds$`, `^value of .*request_code=(pull_message|query_message|get_broker_runtime_info|get_all_producer_info),`,
		"these are asked until there is what is waited for", true},
	{`^rocketmq_producer_connections$`, `^value of `, "the client of an administrator tells every half a minute that it is there", true},
	{`^rocketmq_rpc_latency_milliseconds$`, `^value of .*request_code=(get_consume_stats|get_consumer_connection_list|view_broker_stats_data),`,
		"who follows a message looks at the group that broadcasts too, and figures that are not there are answered otherwise: see the answers to 300 and 315", false},
}

// compareScrapes prints a PASS or FAIL line for every metric, and an error if one failed.
func compareScrapes(out io.Writer, stockFile, ourFile string) error {
	var scrapes [2]map[string]*family
	for i, path := range []string{stockFile, ourFile} {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		scrapes[i], err = read(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return report(out, scrapes[0], scrapes[1])
}

func report(out io.Writer, stock, ours map[string]*family) error {
	wrong, because := map[string][]string{}, map[string]map[string]bool{}
	used := make([]bool, len(meant))
	for _, d := range differences(stock, ours) {
		known := false
		for i, m := range meant {
			if regexp.MustCompile(m.name).MatchString(d.name) && regexp.MustCompile(m.what).MatchString(d.what) {
				known, used[i] = true, true
				if because[d.name] == nil {
					because[d.name] = map[string]bool{}
				}
				because[d.name][m.why] = true
				break
			}
		}
		if !known {
			wrong[d.name] = append(wrong[d.name], d.what)
		}
	}
	passed, failed := 0, 0
	for _, name := range slices.Sorted(maps.Keys(stock)) {
		if len(wrong[name]) > 0 {
			continue
		}
		passed++
		note := ""
		if why := slices.Sorted(maps.Keys(because[name])); len(why) > 0 {
			note = " (but " + strings.Join(why, "; ") + ")"
		}
		fmt.Fprintf(out, "PASS scrape/%s%s\n", name, note)
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		failed++
		fmt.Fprintf(out, "FAIL scrape/%s: %s\n", name, strings.Join(wrong[name], "\n  "))
	}
	for i, m := range meant {
		if !used[i] && !m.perhaps {
			failed++
			fmt.Fprintf(out, "FAIL scrape/%s: nothing differs any more in %s\n", m.name, m.what)
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return fmt.Errorf("%d metrics are not as stock's", failed)
	}
	return nil
}
