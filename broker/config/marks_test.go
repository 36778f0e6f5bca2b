package config

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting/settings"
)

// TestMarkedKeysAreRead: a key that the table says has a meaning here is named by some code that is no test. Otherwise a user
// who sets it would not be told that it does nothing.
func TestMarkedKeysAreRead(t *testing.T) {
	source := sources(t)
	marked := 0
	for _, line := range strings.Split(strings.TrimRight(keys, "\n"), "\n") {
		f := strings.Split(line, "\t")
		if !strings.Contains(f[3], "m") {
			if strings.Contains(f[3], "r") {
				t.Errorf("%s takes effect at run time but has no meaning", f[0])
			}
			continue
		}
		marked++
		if !strings.Contains(source, `"`+f[0]+`"`) {
			t.Errorf("%s has the mark m and is read nowhere", f[0])
		}
	}
	if marked < 40 {
		t.Fatal("marked keys found:", marked)
	}
}

// TestChangeIsAsStrictAsTheStart: what a request sets is in the file afterwards, and the next start must not fail over it.
func TestChangeIsAsStrictAsTheStart(t *testing.T) {
	v, err := Keys("127.0.0.1").Merge()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	change := func(pairs ...string) error {
		var all []settings.Setting
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, settings.Setting{Key: pairs[i], Value: pairs[i+1]})
		}
		_, err := c.Change(all)
		return err
	}
	before := c.Properties()
	for _, bad := range [][]string{
		{"deleteWhen", "25"}, {"messageDelayLevel", "1s 2x"}, {"listenPort", "70000"}, {"brokerRole", "SLAVE"}, {"enableControllerMode", "true"},
		{"fileReservedTime", "10", "deleteWhen", "x"}, {"fileReservedTime", "ten"}, {"brokerIP1", "a.host"},
	} {
		if err := change(bad...); err == nil {
			t.Errorf("%q is taken", bad)
		}
		if c.Properties() != before {
			t.Fatalf("%q changed something", bad)
		}
	}
	if err := change("fileReservedTime", "10", "deleteWhen", "03;15", "unknown", "x"); err != nil {
		t.Fatal(err)
	}
	if r := c.Retention(); r.ReservedHours != 10 || r.DeleteWhen != "03;15" || c.All()["unknown"] != "" {
		t.Fatal(r)
	}
}
