package tuning

import "testing"

// TestSpace: how much of a disk may be used is what the broker's configuration says of it.
func TestSpace(t *testing.T) {
	for _, c := range []struct {
		ratios     Ratios
		free       int64 // of a hundred gibibytes
		state      State
		want, here string
	}{
		{Ratios{}, 26, Good, "", "74 percent are used"},
		{Ratios{}, 25, ByHand, "10 GiB and 25 percent free", "75 percent are used: expired segments go at once"},
		{Ratios{}, 15, ByHand, "10 GiB and 25 percent free", "85 percent are used: segments go whatever their age"},
		{Ratios{}, 10, ByHand, "10 GiB and 25 percent free", "90 percent are used: a broker stores nothing here"},
		{Ratios{Expired: 60}, 40, ByHand, "10 GiB and 40 percent free", "60 percent are used: expired segments go at once"},
		{Ratios{Expired: 88, Forcibly: 92, Full: 95}, 13, Good, "", "87 percent are used"},
		{Ratios{Expired: 88, Forcibly: 92, Full: 95}, 12, ByHand, "10 GiB and 12 percent free", "88 percent are used: expired segments go at once"},
		{Ratios{Expired: 95, Forcibly: 97, Full: 99}, 9, ByHand, "10 GiB and 5 percent free", "91 percent are used"},
	} {
		f := Facts{Store: StoreFacts{TotalBytes: 100 * gib, FreeBytes: c.free * gib, Ratios: c.ratios}}
		got := judgeSpace(&f)
		if len(got) != 1 || got[0].state != c.state || got[0].want != c.want || got[0].here != c.here {
			t.Errorf("%+v, %d percent free: %+v", c.ratios, c.free, got)
		}
	}
}
