package bench

import "context"

// kind is what the reports of one workload have in common.
type kind struct {
	latency    string // heading of the latencies
	noun       string // what they are of
	span       string // what they reach over, in a sentence's end
	generators int    // goroutines that make the load, each of which can keep one processor busy; 0: any number of threads
	paced      bool   // PerSecond is the workload's Rate, if it has one
	counts     string // what Messages are
}

var kinds = map[string]kind{
	"produce":  {"latency", "request", "", 1, true, "messages acknowledged"},
	"consume":  {"pull latency", "pull", "", 1, false, "messages read"},
	"endtoend": {"end to end", "message", ", from when it should have been sent to when a consumer had it", 2, true, "messages delivered"},
	"catchup":  {"pull latency", "pull", "", 2, false, "messages read"},
	"soak":     {"send latency", "request", "", 3, true, "messages acknowledged"},
	"verify":   {"send latency", "request", "", 1, true, "messages acknowledged in this time"},
	"check":    {"pull latency", "pull", "", 1, false, "messages read"},
	// Clients of stock's, whose figures interop/versus.sh writes down as reports.
	"stock Producer": {"latency", "request", "", 0, false, "messages acknowledged"},
	"stock Consumer": {"latency", "pull", "", 0, false, "messages read"},
}

// kind is the report's; one that is not known sends.
func (r *Report) kind() kind {
	name := r.Kind
	if name == "verify" && r.Workload.Check {
		name = "check"
	}
	if k, ok := kinds[name]; ok {
		return k
	}
	return kinds["produce"]
}

// rate is what the messages a second were to be; 0: as many as can be. What is delivered to several groups counts once for each.
func (r *Report) rate() float64 {
	switch {
	case !r.kind().paced:
		return 0
	case r.Kind == "endtoend":
		return r.Workload.Rate * float64(max(1, r.Workload.Groups))
	}
	return r.Workload.Rate
}

// limited says that the generator, and not the broker, may have been the limit.
func (r *Report) limited() bool {
	n := r.kind().generators
	return n > 0 && r.Seconds >= coarse.Seconds() && r.Generator.Cores/float64(n) > saturated
}

// Plain makes a Run of a workload that has a report of its own: the Details of the common one tell what is in it.
func Plain[R interface{ common() *Report }](load func(context.Context, Workload, func(Second)) (R, error)) Run {
	return func(ctx context.Context, w Workload, onTick func(Second)) (*Report, error) {
		r, err := load(ctx, w, onTick)
		if err != nil {
			return nil, err
		}
		return r.common(), nil
	}
}

func (r *Report) common() *Report { return r }
