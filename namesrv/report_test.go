package namesrv

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// TestSizesAreReported every ten minutes, and what has fallen silent until then is not counted.
func TestSizesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values, err := Keys().Merge([]settings.Setting{{Key: "kvConfigPath", Value: t.TempDir() + "/kv.json", Origin: settings.Flag}})
		if err != nil {
			t.Fatal(err)
		}
		log := &lines{}
		s, err := New(Options{Values: values, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		body := &remoting.RegisterBrokerBody{FilterServerList: []string{"f:1"}}
		body.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{}
		for _, name := range []string{"T", "U", "V"} {
			topic := remoting.NewTopicConfig(name, 4, 6)
			body.TopicConfigSerializeWrapper.TopicConfigTable[name] = &topic
		}
		for name, timeout := range map[string]time.Duration{"stays": time.Hour, "silent": 5 * time.Minute} {
			if _, ok := s.routes.register(&registration{cluster: "c", name: name, addr: name + ":1", timeout: timeout, body: body}, time.Now()); !ok {
				t.Fatal("refused")
			}
		}
		s.begin()
		s.done.Add(1)
		go s.scan()
		// after so long, what was said since the last time is
		after := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			got := log.since(`msg="route tables"`)
			if len(got) != len(want) || len(got) == 1 && !strings.Contains(got[0], want[0]) {
				t.Fatalf("after %s more: %q, want %q", d, got, want)
			}
		}
		const interval, sizes = 10 * time.Minute, " clusters=1 brokers=1 live=1 topics=3 filterServers=1"
		after(interval - time.Second)
		after(10*time.Second, sizes)
		after(interval - 10*time.Second)
		after(20*time.Second, sizes)
		close(s.stop)
		s.done.Wait()
	})
}
