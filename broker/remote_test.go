package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ringmq/broker/config"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// TestShutKeysFromAfar: what no request may set is refused however it is written, and does not come into the file by way of another key or
// value. Package config has the reason of each key.
func TestShutKeysFromAfar(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	file := filepath.Join(r.root, "broker.conf")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b *Broker
	r.startAltered(func(started *Broker) { b, started.o.ConfigFile = started, file })
	c := r.dial()
	update := func(text string) *remoting.Command { return c.call(withText(remoting.CodeUpdateBrokerConfig, text)) }
	shut := 0
	for key := range b.c.All() {
		if !b.c.BlackListed(key) {
			continue
		}
		shut++
		for _, text := range []string{key + "=x", key + " : x", "\t" + key + " x", "fileReservedTime=1\n" + key + "=x", fmt.Sprintf(`\u%04x`, key[0]) + key[1:] + "=x",
			key[:3] + "\\\n  " + key[3:] + "=x"} {
			if got := update(text); got.Code != remoting.RespNoPermission {
				t.Errorf("%q is answered %d, %s", text, got.Code, got.Remark)
			}
		}
	}
	if shut < 30 {
		t.Fatal("keys that are shut:", shut)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "# mine\n" {
		t.Errorf("the file says %q, %v", text, err)
	}
	// None of these names a key that is shut; what they write must not do so either.
	for _, text := range []string{`msgTraceTopicName=T\nstorePathRootDir=/x`, `msgTraceTopicName=T\r\nstorePathRootDir=/x`, `msgTraceTopicName=T\\`, `unknown\nstorePathRootDir=/x`,
		`\ storePathRootDir=/x`, "StorePathRootDir=/x", `storePathRootDir\ =/x`} {
		update(text)
		lines, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := settings.ParseProperties(file, lines)
		if err != nil {
			t.Fatal(err)
		}
		v, err := config.Keys("127.0.0.1").Merge(all)
		if err != nil {
			t.Fatal(err)
		}
		if s, there := v.Found("storePathRootDir"); there {
			t.Fatalf("%q has brought %s=%s into the file", text, s.Key, s.Value)
		}
	}
}
