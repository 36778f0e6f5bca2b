package meta

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// attributes that a topic may have: the values allowed (none: any number), and whether they may change.
var attributes = map[string]struct {
	values []string
	fixed  bool
}{
	"queue.type":     {values: []string{"BatchCQ", "SimpleCQ"}, fixed: true},
	"cleanup.policy": {values: []string{"DELETE", "COMPACTION"}, fixed: true},
	"message.type":   {values: []string{"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"}},
	"reserve.time":   {},
}

// AlterAttributes applies "+key=value,-key" to a topic's attributes and returns the result; errors in stock's words.
func AlterAttributes(current map[string]string, text string, create bool) (map[string]string, error) {
	next := maps.Clone(current)
	if next == nil {
		next = map[string]string{}
	}
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		add := strings.HasPrefix(key, "+")
		if !add && !strings.HasPrefix(key, "-") {
			return nil, fmt.Errorf("add/alter attribute format is wrong: %s", word)
		}
		key = key[1:]
		a, known := attributes[key]
		switch {
		case !known:
			return nil, fmt.Errorf("unsupported key: %s", key)
		case create && !add:
			return nil, fmt.Errorf("only add attribute is supported while creating topic. key: %s", word)
		case !add:
			if _, there := next[key]; !there {
				return nil, fmt.Errorf("attempt to delete a nonexistent key: %s", key)
			}
			if a.fixed {
				return nil, fmt.Errorf("attempt to update an unchangeable attribute. key: %s", key)
			}
			delete(next, key)
			continue
		case a.fixed && !create && next[key] != value:
			return nil, fmt.Errorf("attempt to update an unchangeable attribute. key: %s", key)
		case len(a.values) > 0 && !slices.Contains(a.values, value):
			return nil, fmt.Errorf("value is not in set: [%s]", strings.Join(a.values, ", "))
		}
		next[key] = value
	}
	return next, nil
}
