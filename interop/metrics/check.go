package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// question is an expression that must bring data.
type question struct{ name, expr string }

// check prints a PASS or FAIL line for every question and an error if one failed.
func check(prometheus string, dashboards []string) error {
	questions, err := alerts(prometheus)
	if err != nil {
		return err
	}
	for _, path := range dashboards {
		more, err := panels(path)
		if err != nil {
			return err
		}
		questions = append(questions, more...)
	}
	failed := 0
	for _, q := range questions {
		n, err := series(prometheus, q.expr)
		if err == nil && n == 0 {
			err = fmt.Errorf("no data")
		}
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %v: %s\n", q.name, err, q.expr)
			continue
		}
		fmt.Printf("PASS %s: %d series\n", q.name, n)
	}
	if failed > 0 || len(questions) == 0 {
		return fmt.Errorf("%d of %d expressions bring no data", failed, len(questions))
	}
	return nil
}

// get asks a Prometheus and decodes what it answers as data.
func get(address string, data any) error {
	r, err := http.Get(address)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var a struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		return err
	}
	if a.Status != "success" {
		return fmt.Errorf("%s", a.Error)
	}
	return json.Unmarshal(a.Data, data)
}

// series counts what an expression brings.
func series(prometheus, expr string) (int, error) {
	var data struct{ Result []json.RawMessage }
	err := get(prometheus+"/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result), err
}

// comparison is the threshold at the end of an alert's expression: what is compared with it must be there, whether it passes it or not.
var comparison = regexp.MustCompile(`^(.*\S)\s+(?:==|!=|>=|<=|>|<)\s+-?[0-9.e+]+$`)

// alerts are those that a Prometheus has loaded, without their thresholds. One that Prometheus could not evaluate is an error.
func alerts(prometheus string) (all []question, err error) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Query, Health, LastError string }
		}
	}
	if err := get(prometheus+"/api/v1/rules", &data); err != nil {
		return nil, err
	}
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			m := comparison.FindStringSubmatch(r.Query)
			if m == nil || r.Health != "ok" {
				return nil, fmt.Errorf("alert %s is %s (%s): %s", r.Name, r.Health, r.LastError, r.Query)
			}
			all = append(all, question{"alert " + r.Name, m[1]})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no alert is loaded")
	}
	return all, nil
}

// variables are what a dashboard fills in, with everything chosen.
var variables = strings.NewReplacer("$cluster", ".*", "$node", ".*", "$__rate_interval", "10s")

// panels are the queries of a dashboard, those of its variables too.
func panels(path string) (all []question, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	name := filepath.Base(path)
	for _, v := range d.Templating.List {
		if rest, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, _ := strings.Cut(strings.TrimSuffix(rest, ")"), ", ")
			all = append(all, question{name + " $" + v.Name, variables.Replace(metric)})
		}
	}
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			all = append(all, question{fmt.Sprintf("%s %q %s", name, p.Title, t.RefID), variables.Replace(t.Expr)})
		}
	}
	return all, nil
}
