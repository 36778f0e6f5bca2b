package doctor

import (
	"encoding/json"
	"io"
)

// document is the report for programs. Members are only added.
type document struct {
	Version     int       `json:"version"`
	Result      State     `json:"result"` // the worst state among the findings
	Broken      int       `json:"broken"`
	Warnings    int       `json:"warnings"`
	Unknown     int       `json:"unknown"`
	OK          int       `json:"ok"`
	LookedAt    int       `json:"lookedAt"`
	NameServers []string  `json:"nameServers"`
	Brokers     []string  `json:"brokers"`
	Findings    []Finding `json:"findings"`
}

// WriteJSON writes the report as one JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	d := document{Version: 1, Result: OK, Broken: r.Count(Broken), Warnings: r.Count(Warning), Unknown: r.Count(Unknown), OK: r.Count(OK), LookedAt: r.LookedAt,
		NameServers: append([]string{}, r.NameServers...), Brokers: append([]string{}, r.Brokers...), Findings: append([]Finding{}, r.Findings...)}
	for _, f := range r.Findings {
		d.Result = min(d.Result, f.State)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}
