package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Command is one command with stock's name and flags.
type Command struct {
	Name, Short string
	Flags       []Flag
	Operand     Flag // what stands behind the flags without a name; its Long is "" where nothing does
	Reads       bool // it changes nothing, so that it may be repeated
	Run         func(ctx context.Context, s *Session, a Args, out *Out) error
}

// Flag is one flag of a command.
type Flag struct {
	Short, Long, Usage string
	Kind               Kind
	Required           bool
	Names              Names // what its value names
}

// Kind is what the value of a flag has to be.
type Kind int

// The kinds of flags.
const (
	Text Kind = iota
	Number
	TrueFalse
	Moment // of time: now, ms since 1970, or yyyy-MM-dd#HH:mm:ss:SSS in local time
	Switch // without a value
	Span   // of time: 500ms, 30s, 10m
)

// Names is the kind of thing that a flag's value is the name of, for completion.
type Names int

// What there are lists of.
const (
	Anything Names = iota
	Topics
	Groups
	Clusters
	BrokerAddrs
	BrokerNames
)

// Args are the flags that were given, by their long names, without white space around.
type Args map[string]string

// Has says that a flag was given.
func (a Args) Has(long string) bool {
	_, ok := a[long]
	return ok
}

// Or is the value of a flag, or a default.
func (a Args) Or(long, other string) string {
	if v, ok := a[long]; ok {
		return v
	}
	return other
}

// Number is the value of a flag of that kind, or a default.
func (a Args) Number(long string, other int64) int64 {
	if n, err := strconv.ParseInt(a[long], 10, 64); err == nil {
		return n
	}
	return other
}

// True is the value of a flag of kind TrueFalse, or a default.
func (a Args) True(long string, other bool) bool {
	if v, ok := a[long]; ok {
		return strings.EqualFold(v, "true")
	}
	return other
}

// Span is the value of a flag of that kind, or a default.
func (a Args) Span(long string, other time.Duration) time.Duration {
	if d, err := time.ParseDuration(a[long]); err == nil {
		return d
	}
	return other
}

// Moment is the value of a flag of that kind in ms.
func (a Args) Moment(long string, now time.Time) (ms int64, given bool) {
	v, ok := a[long]
	if !ok {
		return 0, false
	}
	ms, _ = parseMoment(v, now)
	return ms, true
}

var errMoment = errors.New("neither now, nor milliseconds since 1970, nor yyyy-MM-dd#HH:mm:ss:SSS")

func parseMoment(text string, now time.Time) (int64, error) {
	if text == "now" {
		return now.UnixMilli(), nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return 0, errMoment
	}
	t, err := time.ParseInLocation("2006-01-02#15:04:05.000", text[:at]+"."+text[at+1:], time.Local)
	if err != nil {
		return 0, errMoment
	}
	return t.UnixMilli(), nil
}

// label is a flag as people write it.
func (f Flag) label() string {
	if f.Short == "" {
		return "--" + f.Long
	}
	return "-" + f.Short + " (--" + f.Long + ")"
}

// all are the flags, and the operand if there is one.
func (c *Command) all() []Flag {
	if c.Operand.Long == "" {
		return c.Flags
	}
	return append(c.Flags[:len(c.Flags):len(c.Flags)], c.Operand)
}

// check says what is wrong with what was given.
func (c *Command) check(a Args) error {
	for _, f := range c.all() {
		v, given := a[f.Long]
		if !given {
			if f.Required {
				return fmt.Errorf("%s is missing: %s", f.label(), f.Usage)
			}
			continue
		}
		if f.Required && v == "" {
			return fmt.Errorf("%s is empty: %s", f.label(), f.Usage)
		}
		var err error
		switch f.Kind {
		case Number:
			_, err = strconv.ParseInt(v, 10, 64)
			if err != nil {
				err = errors.New("not a whole number")
			}
		case TrueFalse:
			if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
				err = errors.New("neither true nor false")
			}
		case Moment:
			_, err = parseMoment(v, time.Time{})
		case Span:
			if d, wrong := time.ParseDuration(v); wrong != nil || d < 0 {
				err = errors.New("no span of time such as 30s or 10m")
			}
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", f.label(), v, err)
		}
	}
	return nil
}

// Flags that many commands have.
func topicFlag() Flag {
	return Flag{Short: "t", Long: "topic", Usage: "topic name", Required: true, Names: Topics}
}

func groupFlag(short, long string) Flag {
	return Flag{Short: short, Long: long, Usage: "consumer group name", Required: true, Names: Groups}
}

func brokerFlag() Flag {
	return Flag{Short: "b", Long: "brokerAddr", Usage: "broker: host:port, or its name for the master of that name", Names: BrokerAddrs}
}

func clusterFlag() Flag {
	return Flag{Short: "c", Long: "clusterName", Usage: "cluster: all of its brokers", Names: Clusters}
}

// routeCluster is a flag of stock's for topics that have no route of their own, which this broker does not have; it picks brokers of
// one cluster.
func routeCluster() Flag {
	return Flag{Short: "c", Long: "cluster", Usage: "only brokers of this cluster", Names: Clusters}
}

func intervalFlag() Flag {
	return Flag{Short: "i", Long: "interval", Usage: "repeat every so many seconds", Kind: Number}
}
