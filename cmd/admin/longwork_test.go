package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// bar is what a command told of one piece of work.
type bar struct {
	what        string
	last, total int64
	told        int
}

// bars keeps what a command tells, and reports what cannot be: work that goes back, or beyond its end, or whose end moves.
type bars struct {
	t   *testing.T
	all []*bar
}

func (b *bars) tell(what string, done, total int64) {
	if n := len(b.all); n == 0 || b.all[n-1].what != what || b.all[n-1].last == b.all[n-1].total {
		b.all = append(b.all, &bar{what: what, total: total, last: -1})
	}
	now := b.all[len(b.all)-1]
	if now.told++; done < now.last || done > total || total != now.total || now.told == 1 && done != 0 && total != 0 {
		b.t.Errorf("%s: told %d of %d after %d of %d", what, done, total, now.last, now.total)
	}
	now.last = done
}

// TestLongCommandsTell: each command whose work grows with what there is tells how far it is, from nothing to the whole.
func TestLongCommandsTell(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"updateTopic -b {broker} -t T -r 2 -w 2", "updateSubGroup -b {broker} -g G", "updateSubGroup -b {broker} -g H"} {
		if out, err := r.run(words); err != nil {
			t.Fatal(words, err, out)
		}
	}
	r.workload()
	file := t.TempDir() + "/all.json"
	for _, c := range []struct{ words, what string }{
		{"topicList -c", "topics"},
		{"statsAll", "topics"},
		{"consumerProgress", "groups"},
		{"consumerStatus -g G --output json", "members"},
		{"lag -w 1", "groups"},
		{"printMsg -t T", "broker-a/0"},
		{"printMsg -t T", "broker-a/1"},
		{"printMsgByQueue -t T -a broker-a -i 1 -f true", "broker-a/1"},
		{"consumeMessage -t T", "broker-a/1"},
		{"consumeMessage -t T -c 2", "broker-a/0"},
		{"sendMsgStatus -b broker-a -c 40", "messages"},
		{"checkMsgSendRT -t T -a 40", "messages"},
		{"clusterRT -a 40", "broker-a"},
		{"undrain -b {broker}", "routes"},
		{"export -b {broker} --to " + file, "progress of groups"},
		{"import " + file + " -b {broker} --offsets exact", "progress of groups"},
		{"import " + file + " -b {broker} --offsets exact", "items"},
	} {
		b := &bars{t: t}
		r.o.Progress = b.tell
		if out, err := r.run(c.words); err != nil {
			t.Errorf("%s: %v\n%s", c.words, err, out)
		}
		found := false
		for _, one := range b.all {
			if found = found || one.what == c.what && one.total > 0; one.last != one.total {
				t.Errorf("%s: %s stopped at %d of %d", c.words, one.what, one.last, one.total)
			}
		}
		if !found {
			t.Errorf("%s tells nothing of %s, only %v", c.words, c.what, whats(b.all))
		}
	}
}

func whats(all []*bar) (names []string) {
	for _, one := range all {
		names = append(names, one.what)
	}
	return names
}

// TestCounted: what fails on its way is not told to be whole.
func TestCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what    string
		n, fail int
		want    string
	}{
		{"x", 3, -1, "x 0/3 x 1/3 x 2/3 x 3/3"},
		{"x", 3, 1, "x 0/3 x 1/3"},
		{"x", 0, -1, "x 0/0"},
		{"", 3, -1, ""},
	} {
		var told []string
		s := newSession(Options{Progress: func(what string, done, total int64) { told = append(told, fmt.Sprintf("%s %d/%d", what, done, total)) }})
		err := func() error {
			for i := range s.counted(c.what, c.n) {
				if i == c.fail {
					return errors.New("it fails")
				}
			}
			return nil
		}()
		if got := strings.Join(told, " "); got != c.want || (err != nil) != (c.fail >= 0) {
			t.Errorf("%q %d, failing at %d: %q, not %q; %v", c.what, c.n, c.fail, got, c.want, err)
		}
	}
}

// TestInterruptedWork: a command that is interrupted ends, and tells of no end that it did not reach.
func TestInterruptedWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"checkMsgSendRT -t TBW102 -a 1000000000", "clusterRT -a 1000000000", "sendMsgStatus -b broker-a -c 1000000000"} {
		ctx, cancel := context.WithCancel(t.Context())
		c, a, _ := parse(t, words)
		o := r.o
		last := int64(0)
		o.Progress = func(_ string, done, _ int64) {
			if last = done; done == 5 {
				cancel()
			}
		}
		var out strings.Builder
		if err := Run(ctx, o, c, a, &out); !errors.Is(err, context.Canceled) || last < 5 || last > 50 { // what was asked may be answered before the end is seen
			t.Errorf("%s: %v, told %d", words, err, last)
		}
		cancel()
	}
}
