package meta

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// remark is an error in the words of the stock broker, which clients show.
type remark string

func (r remark) Error() string { return string(r) }

// attribute is one setting that a topic may carry beside its fields.
type attribute struct {
	changeable bool // also after the topic was made
	values     []string
	low        int64 // where there are no values: a number of at least this
}

// Names and values of topic attributes.
const (
	AttributeQueueType   = "queue.type"
	AttributeCleanup     = "cleanup.policy"
	AttributeMessageType = "message.type"
	AttributeReserveTime = "reserve.time"
	QueueTypeBatch       = "BatchCQ"
)

// topicAttributes in stock's order of values, which its errors show.
var topicAttributes = map[string]attribute{
	AttributeQueueType:   {values: []string{"SimpleCQ", "BatchCQ"}},
	AttributeCleanup:     {values: []string{"DELETE", "COMPACTION"}},
	AttributeMessageType: {values: []string{"UNSPECIFIED", "MIXED", "TRANSACTION", "FIFO", "DELAY", "NORMAL"}, changeable: true},
	AttributeReserveTime: {low: -1, changeable: true},
}

// ParseAttributes reads the attributes of a request: "+key=value" to set, "-key" to remove, parted by commas.
func ParseAttributes(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	changes := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		var key, value string
		if strings.Contains(pair, "=") {
			parts := strings.Split(pair, "=")
			if parts[0] == "" || len(parts) < 2 || parts[1] == "" {
				return nil, remark("key or value is empty.")
			}
			if key, value = parts[0], parts[1]; !strings.Contains(key, "+") {
				return nil, remark("add/alter attribute format is wrong: " + key)
			}
		} else if key = pair; !strings.Contains(key, "-") {
			return nil, remark("delete attribute format is wrong: " + key)
		}
		if _, twice := changes[key]; twice {
			return nil, remark("key duplication: " + key)
		}
		changes[key] = value
	}
	return changes, nil
}

// AlterAttributes applies the attributes of a request, "+key=value,-key", to those of a topic that is new or not. Errors have
// stock's words. current is not changed.
func AlterAttributes(current map[string]string, text string, isNew bool) (map[string]string, error) {
	changes, err := ParseAttributes(text)
	if err != nil {
		return nil, err
	}
	return alter(topicAttributes, isNew, current, changes)
}

func alter(known map[string]attribute, isNew bool, current, changes map[string]string) (map[string]string, error) {
	next := maps.Clone(current)
	if next == nil {
		next = map[string]string{}
	}
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if key == "" {
			return nil, remark("kv string format wrong.")
		}
		name := key[1:]
		switch {
		case name == "" || strings.ContainsAny(name, "+-"):
			return nil, remark("kv string format wrong.")
		case seen[name]:
			return nil, remark("alter duplication key. key: " + name)
		}
		seen[name] = true
		_, has := current[name]
		switch {
		case isNew && key[0] != '+':
			return nil, remark("only add attribute is supported while creating topic. key: " + name)
		case key[0] == '-' && !has:
			return nil, remark("attempt to delete a nonexistent key: " + name)
		case key[0] != '+' && key[0] != '-':
			return nil, remark("wrong format key: " + name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		name, value := key[1:], changes[key]
		a, ok := known[name]
		if !ok {
			return nil, remark("unsupported key: " + name)
		}
		if !isNew && !a.changeable {
			return nil, remark("attempt to update an unchangeable attribute. key: " + name)
		}
		if key[0] == '-' {
			delete(next, name)
			continue
		}
		if err := a.verify(value); err != nil {
			return nil, err
		}
		next[name] = value
	}
	return next, nil
}

func (a attribute) verify(value string) error {
	if a.values != nil {
		if !slices.Contains(a.values, value) {
			return remark("value is not in set: [" + strings.Join(a.values, ", ") + "]")
		}
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return remark(fmt.Sprintf("For input string: %q", value))
	}
	if n < a.low {
		return remark(fmt.Sprintf("value is not in range(%d, %d)", a.low, int64(math.MaxInt64)))
	}
	return nil
}
