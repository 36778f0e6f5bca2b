package broker

import (
	"bytes"
	"errors"
	"slices"

	"ringmq/broker/member"
	"ringmq/store/record"
)

// tagFilter decides by the tags code of a queue entry. A loop has one and uses it for every pull in turn; its match function
// is made once, so that a pull allocates nothing.
type tagFilter struct {
	codes []int32 // in order, each once: the dispatcher asks for every message, whatever a client wrote
	match func(tagsCode int64) bool
}

func (f *tagFilter) wanted(tagsCode int64) bool {
	_, found := slices.BinarySearch(f.codes, int32(tagsCode))
	return found
}

// expression sets the filter to a tag expression, tags parted by ||; false when it takes everything. As in stock a lone * is
// everything only without blanks, and blanks alone match nothing.
func (f *tagFilter) expression(text []byte) (filters bool, err error) {
	f.codes = f.codes[:0]
	if len(text) == 0 || string(text) == "*" {
		return false, nil
	}
	if len(text) > member.MaxSubscriptionBytes {
		return false, errLongExpression
	}
	parts := false
	for len(text) > 0 {
		tag, rest, _ := bytes.Cut(text, []byte("||"))
		text = rest
		parts = parts || len(tag) > 0
		if tag = bytes.TrimSpace(tag); len(tag) > 0 {
			f.codes = append(f.codes, record.JavaHash(tag))
		}
	}
	if !parts {
		return false, errNoTags
	}
	slices.Sort(f.codes)
	f.codes = slices.Compact(f.codes)
	return true, nil
}

var (
	errNoTags         = errors.New("subString split error")
	errLongExpression = errors.New("the tag expression is longer than one of a heartbeat may be")
)

// subscription sets the filter to what a client has subscribed to; false when it takes everything.
func (f *tagFilter) subscription(s *member.Subscription) bool {
	f.codes = f.codes[:0]
	if s.ClassFilterMode || s.SubString == "*" || s.SubString == "" || !isTag(s.ExpressionType) {
		return false
	}
	f.codes = append(f.codes, s.Wanted...)
	return true
}

func isTag(expressionType string) bool { return expressionType == "" || expressionType == "TAG" }
