package admin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
)

// Format is a form of an answer.
type Format int

const (
	Table Format = iota
	JSON
	CSV
)

// ParseFormat finds the form that --output names.
func ParseFormat(text string) (Format, error) {
	for f, name := range FormatNames() {
		if text == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("--output: %q is none of table, json, csv", text)
}

// FormatNames are the forms by their names, in their order.
func FormatNames() []string { return []string{"table", "json", "csv"} }

// Out writes what a command finds, as it finds it. Tables and values have names: JSON is one object of them, each table a list of
// objects. CSV has the tables, each under a line of its keys; values only if there is no table. What is only said, not found, is in
// the table form alone.
type Out struct {
	w      io.Writer
	format Format
	err    error

	rows   string // printf format of the open table
	cols   []Col
	open   bool // JSON: inside of a list
	filled bool // and it has a row
	parts  int  // tables and values begun
	tables int
	values [][2]string // CSV: until there is a table
}

// Col is a column: what heads it in a table (columns without heads have no line of them), and its key otherwise.
type Col struct{ Head, Key string }

// Cell is a value that a table shows in another way.
type Cell struct {
	Value any
	Text  string
}

func newOut(w io.Writer, f Format) *Out { return &Out{w: w, format: f} }

func (o *Out) began() bool { return o.parts > 0 || o.format == Table }

func (o *Out) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(o.w, format, args...); err != nil && o.err == nil {
		o.err = err
	}
}

// Textf writes to the table form only.
func (o *Out) Textf(format string, args ...any) {
	if o.format == Table {
		o.printf(format, args...)
	}
}

// Table begins a table. rows is the printf format of a row, with %v for every cell, and of its heads.
func (o *Out) Table(name, rows string, cols ...Col) { o.TableHeaded(name, rows, rows, cols...) }

// TableHeaded is Table for heads of another format.
func (o *Out) TableHeaded(name, heads, rows string, cols ...Col) {
	o.rows, o.cols = rows, cols
	switch o.format {
	case Table:
		if cols[0].Head == "" {
			break
		}
		all := make([]any, len(cols))
		for i, c := range cols {
			all[i] = c.Head
		}
		o.printf(heads, all...)
	case JSON:
		o.member(name)
		o.printf("[")
		o.open, o.filled = true, false
	case CSV:
		if o.tables > 0 {
			o.printf("\n")
		}
		keys := make([]string, len(cols))
		for i, c := range cols {
			keys[i] = c.Key
		}
		o.csv(keys)
	}
	o.parts++
	o.tables++
}

// Row writes a row of the table begun last: a value for every column.
func (o *Out) Row(values ...any) {
	if len(values) != len(o.cols) {
		panic(fmt.Sprintf("admin: %d values for %d columns", len(values), len(o.cols)))
	}
	switch o.format {
	case Table:
		for i, v := range values {
			if c, ok := v.(Cell); ok {
				values[i] = c.Text
			}
		}
		o.printf(o.rows, values...)
	case JSON:
		if o.filled {
			o.printf(",")
		}
		o.filled = true
		o.printf("\n    {")
		for i, v := range values {
			if i > 0 {
				o.printf(",")
			}
			o.printf("%s:%s", toJSON(o.cols[i].Key), toJSON(plain(v)))
		}
		o.printf("}")
	case CSV:
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = word(plain(v))
		}
		o.csv(words)
	}
}

// Set gives a value a name; the table form does not have it.
func (o *Out) Set(name string, v any) {
	switch o.format {
	case JSON:
		o.member(name)
		o.printf("%s", toJSON(v))
	case CSV:
		o.values = append(o.values, [2]string{name, word(v)})
	}
	o.parts++
}

func (o *Out) member(name string) {
	o.closeList()
	if o.parts == 0 {
		o.printf("{")
	} else {
		o.printf(",")
	}
	o.printf("\n  %s: ", toJSON(name))
}

func (o *Out) closeList() {
	if o.open && o.filled {
		o.printf("\n  ")
	}
	if o.open {
		o.printf("]")
	}
	o.open = false
}

func (o *Out) csv(words []string) {
	w := csv.NewWriter(o.w)
	err := w.Write(words)
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil && o.err == nil {
		o.err = err
	}
}

// close ends the answer.
func (o *Out) close() error {
	switch o.format {
	case JSON:
		if o.closeList(); o.parts == 0 {
			o.printf("{")
		} else {
			o.printf("\n")
		}
		o.printf("}\n")
	case CSV:
		if o.tables == 0 && len(o.values) > 0 {
			o.csv([]string{"key", "value"})
			for _, v := range o.values {
				o.csv(v[:])
			}
		}
	}
	return o.err
}

// plain is what a table shows differently.
func plain(v any) any {
	if c, ok := v.(Cell); ok {
		return c.Value
	}
	return v
}

// word is a value in CSV: text as it is, what has parts as JSON.
func word(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, int, int32, int64, float64:
		return fmt.Sprint(v)
	}
	return toJSON(v)
}

// toJSON leaves < > & as they are: this goes to terminals and programs, not into web pages.
func toJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // values of answers are text, numbers and lists of them
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
