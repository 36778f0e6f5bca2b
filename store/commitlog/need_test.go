package commitlog

import "testing"

// TestNeed: what the maker does next, for all that it goes by.
func TestNeed(t *testing.T) {
	const segment = 1 << 30
	for _, c := range []struct {
		name   string
		n      need
		ahead  int64
		wanted bool
	}{
		{"nothing is missing", need{zeros: true}, segment, false},
		{"nothing is missing, no zeros", need{}, 0, false},
		{"nothing is missing, zeros are put off", need{zeros: true, spared: true}, 0, false},
		{"it was urgent a moment ago", need{zeros: true, urgent: true}, segment, false},
		{"there is time", need{missing: true, zeros: true}, nearBytes, true},
		{"there is time, no zeros", need{missing: true}, 0, true},
		{"there is time, zeros are put off", need{missing: true, zeros: true, spared: true}, 0, true},
		{"it is urgent", need{missing: true, urgent: true, zeros: true}, 0, true},
		{"copies need it", need{missing: true, zeros: true, spared: true, catchesUp: true}, 0, true},
		{"copies do not need it yet", need{missing: true, zeros: true, spared: true, catchesUp: true, covered: true}, 0, false},
		{"copies want it all the same", need{missing: true, urgent: true, zeros: true, spared: true, catchesUp: true, covered: true}, 0, true},
	} {
		if got := c.n.ahead(segment); got != c.ahead {
			t.Errorf("%s: %d bytes ahead", c.name, got)
		}
		if got := c.n.wanted(); got != c.wanted {
			t.Errorf("%s: wanted: %v", c.name, got)
		}
	}
	for _, c := range []struct {
		n          need
		old, whole bool
		want       fileAction
	}{
		{need{zeros: true}, false, false, zeroIt},
		{need{zeros: true}, false, true, nameIt},
		{need{zeros: true}, true, false, zeroIt},
		{need{zeros: true}, true, true, nameIt},
		{need{}, false, false, nameIt},
		{need{}, true, false, zeroIt},
		{need{zeros: true, urgent: true}, false, false, nameIt},
		{need{zeros: true, urgent: true}, true, false, dropIt},
		{need{zeros: true, spared: true}, false, false, nameIt},
		{need{zeros: true, spared: true}, true, false, dropIt},
	} {
		if got := c.n.decide(c.old, c.whole); got != c.want {
			t.Errorf("%+v, of an expired segment: %v, zeros all over: %v: %d", c.n, c.old, c.whole, got)
		}
	}
	for i := range 1 << 6 { // whatever is needed, an expired segment's bytes never come behind the log's end
		bit := func(n int) bool { return i>>n&1 != 0 }
		n := need{missing: bit(0), urgent: bit(1), zeros: bit(2), spared: bit(3), catchesUp: bit(4), covered: bit(5)}
		if n.decide(true, false) == nameIt {
			t.Errorf("%+v: a file with old records is used", n)
		}
	}
}
