package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/cmd/backup"
)

// TestBackupCommands: what cannot be done is said, and nothing is made.
func TestBackupCommands(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	for text, args := range map[string][]string{
		"name the master":                {"backup", "--to", dir},
		`required flag(s) "to"`:          {"backup", "-b", dead},
		"nothing listens there":          {"backup", "-b", dead, "--to", dir},
		dead:                             {"backup", "-n", dead, "--to", dir},
		"it is no backup":                {"backup", "verify", dir},
		`required flag(s) "from", "to"`:  {"restore"},
		"there is no backup.json in it:": {"restore", "--from", t.TempDir(), "--to", dir},
	} {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(args)
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v, not %q", args, err, text)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("something was made:", err)
	}
}

// TestBackupTexts: what is wrong with a backup is a line each, and what a restored broker needs is a configuration file's lines.
func TestBackupTexts(t *testing.T) {
	m := &backup.Manifest{Cluster: "C", Broker: "b", Ended: "then", Keys: map[string]string{"maxIndexNum": "7", "mappedFileSizeCommitLog": "4096"}}
	var out bytes.Buffer
	printBackup(&out, &backup.Report{Manifest: m, Wrong: []string{"this", "that"}, More: 3})
	if got := out.String(); strings.Count(got, "WRONG") != 3 || strings.Contains(got, "nothing is wrong") {
		t.Error(got)
	}
	if got := restored(m, "/srv"); !strings.Contains(got, "brokerName=b\nbrokerId=0\nstorePathRootDir=/srv\nmappedFileSizeCommitLog=4096\nmaxIndexNum=7\n") {
		t.Error(got)
	}
}
