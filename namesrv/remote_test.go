package namesrv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// shut are the keys of the table that no request may set, and why.
var shut = map[string]string{
	"listenPort": "where it listens", "bindAddress": "where it listens", "adminHttpAddress": "where it listens",
	"kvConfigPath": "a path", "configStorePath": "a path", "rocketmqHome": "a path",
	"adminAllowedCidrs": "who may ask", "brokerAllowedCidrs": "who may register", "configBlackList": "what a request may do",
}

// open are those that a request may set, of all that are texts or have a meaning here.
var open = map[string]string{
	"deleteTopicWithBrokerRegistration": "what a registration says of topics", "orderMessageEnable": "what a route says", "returnOrderTopicConfigToBroker": "what a registration is answered",
	"enableAllTopicList": "what is told", "enableTopicList": "what is told", "needWaitForService": "when it begins to answer", "waitSecondsForService": "when it begins to answer",
	"maxConnections": "a limit", "maxConnectionsPerHost": "a limit", "scanNotActiveBrokerInterval": "a time", "serverChannelMaxIdleTimeSeconds": "a time",
	"productEnvName": "a text that nothing here reads, and no path or address for stock",
}

// TestEveryKeyFromAfar: whether a request may set a key is decided, with a reason, for every key of the table; a new one that is a text or has a
// meaning fails until somebody has thought about it. What is shut is refused however it is written, and keys of other servers leave the file alone.
func TestEveryKeyFromAfar(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.conf")
	const before = "# for name server and broker\nstorePathRootDir=/data/store\n"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	_, c := startWith(t, Options{ConfigFile: file})
	update := func(line string) int32 {
		change := request(remoting.CodeUpdateNamesrvConfig)
		change.Body = []byte(line + "\n")
		return call(t, c, change).Code
	}
	known := 0
	for line := range strings.Lines(keys) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		key := f[0]
		if shut[key] == "" {
			if open[key] == "" && (f[1] == "text" || strings.Contains(f[3], "m")) {
				t.Errorf("%s can be set by a request, and nobody says why that does no harm", key)
			}
			if open[key] != "" {
				known++
			}
			continue
		}
		known++
		for _, text := range []string{key + "=x", key + " : x", "\t" + key + " x", "a=b\n" + key + "=x", `\u00` + hex(key[0]) + key[1:] + "=x", key[:3] + "\\\n  " + key[3:] + "=x"} {
			if code := update(text); code != remoting.RespNoPermission {
				t.Errorf("%q, %s, is answered %d", text, shut[key], code)
			}
		}
	}
	if known != len(shut)+len(open) {
		t.Errorf("%d of %d keys that have a reason are in the table", known, len(shut)+len(open))
	}
	for _, text := range []string{"storePathRootDir=/elsewhere", "brokerConfigPath=x", `note=1\nkvConfigPath=x`, `a\nkvConfigPath=x`} {
		if code := update(text); code != remoting.RespSuccess {
			t.Errorf("%q is answered %d", text, code)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != before {
		t.Errorf("the file says %q, %v", text, err)
	}
}

func hex(b byte) string { return string([]byte{"0123456789abcdef"[b>>4], "0123456789abcdef"[b&15]}) }
