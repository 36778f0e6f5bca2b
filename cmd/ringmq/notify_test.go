package main

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@ringmq-test-" + strconv.FormatInt(time.Now().UnixNano(), 36)} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		if err := notify(func(key string) string { return map[string]string{"NOTIFY_SOCKET": name}[key] }, "READY=1"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if n, err := manager.Read(b); err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("%q %v", b[:n], err)
		}
	}
	if err := notify(func(string) string { return "" }, "READY=1"); err != nil {
		t.Error("without a manager:", err)
	}
	if err := notify(func(string) string { return "/nowhere/notify" }, "READY=1"); err == nil {
		t.Error("a manager that is not there was told")
	}
}
