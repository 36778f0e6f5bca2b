package admin

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestTimeoutOfBrokerConsumeStats: -t is how long its answer is waited for, whatever --timeout says.
func TestTimeoutOfBrokerConsumeStats(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := Options{Timeout: time.Hour}
	c, a, _ := parse(t, "brokerConsumeStats -t 30 -b "+l.Addr().String())
	var out strings.Builder
	if err := Run(t.Context(), o, c, a, &out); err == nil || !strings.HasSuffix(err.Error(), "within 30ms") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, ms := range []string{"0", "-5"} {
		a["timeoutMillis"] = ms
		if err := Run(t.Context(), o, c, a, &out); err == nil || err.Error() != "-t (--timeoutMillis) "+ms+": no time to wait" {
			t.Error(err)
		}
	}
}

// TestGroupOfConsumeMessage: -g is the group in whose name messages are read: one that must not consume gets none.
func TestGroupOfConsumeMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"updateSubGroup -b {broker} -g Open", "updateSubGroup -b {broker} -g Shut -s false", "sendMessage -t TBW102 -b broker-a -i 0 -p hello"} {
		if out, err := r.run(words); err != nil {
			t.Fatal(words, err, out)
		}
	}
	const words = "consumeMessage -t TBW102 -b broker-a -i 0"
	for _, group := range []string{"", " -g Open"} {
		r.until("the message", func() bool {
			out, err := r.run(words + group)
			return err == nil && strings.Contains(out, "hello")
		})
	}
	if out, err := r.run(words + " -g Shut"); err == nil || !strings.Contains(err.Error(), "NO_PERMISSION") || strings.Contains(out, "hello") {
		t.Errorf("%v\n%s", err, out)
	}
}
