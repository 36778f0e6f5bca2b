package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind of a key's value.
type Kind uint8

// Kinds of values. Texts are not checked.
const (
	Text Kind = iota
	Int
	Long
	Bool
	Double
)

// Key is one row of a table.
type Key struct {
	Name    string
	Default string
	Kind    Kind
	Choices []string // not empty: the value must be one of them
	Runtime bool     // a change at run time takes effect
	Ignored bool     // accepted for compatibility, without effect here
}

// check says what is wrong with a value for the key.
func (k *Key) check(value string) error {
	var err error
	switch k.Kind {
	case Int:
		_, err = strconv.ParseInt(value, 10, 32)
	case Long:
		_, err = strconv.ParseInt(value, 10, 64)
	case Double:
		_, err = strconv.ParseFloat(value, 64)
	case Bool:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			err = fmt.Errorf("neither true nor false")
		}
	}
	if err != nil {
		return fmt.Errorf("%q is no %s", value, [...]string{"text", "whole number", "whole number", "boolean", "number"}[k.Kind])
	}
	if len(k.Choices) == 0 {
		return nil
	}
	for _, c := range k.Choices {
		if c == value {
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", value, strings.Join(k.Choices, ", "))
}

// Table is a server's set of keys. It does not change.
type Table struct {
	keys map[string]*Key
}

// NewTable makes a table. A key that stands twice, or whose default it would refuse, is a programmer's fault.
func NewTable(keys []Key) *Table {
	t := &Table{keys: make(map[string]*Key, len(keys))}
	for i := range keys {
		k := &keys[i]
		if t.keys[k.Name] != nil {
			panic("settings: key " + k.Name + " stands twice")
		}
		if err := k.check(k.Default); err != nil && k.Default != "" {
			panic("settings: default of " + k.Name + ": " + err.Error())
		}
		t.keys[k.Name] = k
	}
	return t
}

// alike is the key that somebody may have meant who wrote one that there is not: it differs in upper and lower case, or by one letter too
// many, too few, other or exchanged with its neighbour. "" if there is none, or the key exists.
func (t *Table) alike(key string) string {
	if t.keys[key] != nil {
		return ""
	}
	near, lower := "", strings.ToLower(key)
	for name := range t.keys {
		if strings.EqualFold(name, key) {
			return name
		}
		if slips(strings.ToLower(name), lower) && (near == "" || name < near) {
			near = name
		}
	}
	return near
}

// slips says whether two words differ by one slip of the pen.
func slips(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a) < 5 || len(a)-len(b) > 1 {
		return false
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	if len(a) > len(b) {
		return a[i+1:] == b[i:]
	}
	return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
