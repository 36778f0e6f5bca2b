package metrics

import "strings"

// Scopes of OpenTelemetry that metrics belong to.
const (
	Scope    = "broker-meter" // stock's. Prometheus sees it as a label, from the library that a stock broker shows its metrics with
	OurScope = "ringmq"
)

// Instrument is a metric as OpenTelemetry has it.
type Instrument struct {
	Name  string
	Unit  string // of stock's metrics in stock's words, of ours by UCUM; "": none
	Scope string
	Whole bool // its values are whole numbers; of a histogram, what it saw
}

// InstrumentOf is the instrument of a metric by the name that Prometheus sees. To that one stock's exporter has appended the unit; ours have one
// name everywhere.
func InstrumentOf(shown string) Instrument {
	i := Instrument{Name: shown, Scope: OurScope}
	if strings.HasPrefix(shown, "rocketmq_") {
		i.Scope, i.Whole = Scope, true
		for _, unit := range []string{"milliseconds", "bytes"} {
			if plain, ok := strings.CutSuffix(shown, "_"+unit); ok {
				i.Unit = unit
				if !strings.HasSuffix(plain, "_behind") { // these two have it in their names anyway
					i.Name = plain
				}
			}
		}
		return i
	}
	for _, m := range Table {
		if m.Name == shown {
			i.Whole, i.Unit = m.Kind == Counter, ucum(m.Unit)
		}
	}
	return i
}

// ucum is a unit of the table by the Unified Code for Units of Measure. What is merely counted has none: a scraper of the collector would see
// the word in the name.
func ucum(unit string) string {
	switch unit {
	case "s":
		return unit
	case "bytes":
		return "By"
	case "bytes/s":
		return "By/s"
	}
	return ""
}

// IsAboutTheLibrary says whether a metric is there for Prometheus only: what it says is said otherwise to a collector.
func IsAboutTheLibrary(shown string) bool { return shown == scopeInfo || shown == targetInfo }

const (
	scopeInfo  = "otel_scope_info"
	targetInfo = "target_info"
	scopeLabel = "otel_scope_name"
)

// IsAboutTheScope says whether a label is there for Prometheus only.
func IsAboutTheScope(label string) bool { return label == scopeLabel }
