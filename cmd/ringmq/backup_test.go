package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
	t.Setenv("NAMESRV_ADDR", "")
	for text, args := range map[string][]string{
		"name the master":                 {"backup", "--to", dir},
		`required flag(s) "to"`:           {"backup", "-b", dead},
		"nothing listens there":           {"backup", "-b", dead, "--to", dir},
		"not with both":                   {"backup", "-b", dead, "-n", dead, "--to", dir},
		"0s is no time to wait":           {"backup", "-b", dead, "--to", dir, "--timeout", "0"},
		"-1s is no time to wait":          {"backup", "-n", dead, "--brokerName", "b", "--to", dir, "--timeout", "-1s"},
		dead:                              {"backup", "-n", dead, "--to", dir},
		"no such directory":               {"backup", "verify", dir},
		"DIRECTORY is missing":            {"backup", "verify"},
		`takes DIRECTORY, and got 2: a b`: {"backup", "verify", "a", "b"},
		`"a" stands without a flag, and ringmq restore takes nothing such`: {"restore", "a"},
		"with --brokerName broker-a":                                       {"backup", "-b", "broker-a", "--to", dir},
		"did you mean --from?":                                             {"restore", "--form", dir},
		"in -z; ringmq restore --help lists them":                          {"restore", "-z"},
		`required flag(s) "from", "to"`:                                    {"restore"},
		"there is no backup.json in it:":                                   {"restore", "--from", t.TempDir(), "--to", dir},
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

// TestNoBrokerOnABackup: a broker is refused the directory of a backup, whole or not, and told the way.
func TestNoBrokerOnABackup(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, backup.ManifestName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := ringmq(t, "broker", "--set", "storePathRootDir="+dir, "--set", "listenPort=0")
	if err == nil || !strings.Contains(err.Error(), "ringmq restore --from "+dir) {
		t.Errorf("%v\n%s", err, out)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Error("something was made beside the manifest:", left, err)
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

// backupError runs a command under a context and returns its error.
func backupError(ctx context.Context, args ...string) error {
	root := newRoot()
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// TestBackupAsAdmin: the environment names the name servers where nothing else names the master, and what is interrupted has a code of its own.
func TestBackupAsAdmin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	t.Setenv("NAMESRV_ADDR", dead)
	if err := backupError(t.Context(), "backup", "--to", dir); err == nil || !strings.Contains(err.Error(), dead) {
		t.Error("the environment is not heard:", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"backup", "-b", dead, "--to", dir}, {"backup", "--to", dir}} {
		var end *endError
		if err := backupError(ctx, args...); !errors.As(err, &end) || end.code != exitStopped {
			t.Errorf("%v, interrupted: %v", args, err)
		}
	}
}

// secondSignal is in the environment of a process that a first signal is to end, and does not.
const secondSignal = "RINGMQ_TEST_SECOND_SIGNAL"

// TestSecondSignal: the second one ends what the first one does not.
func TestSecondSignal(t *testing.T) {
	if os.Getenv(secondSignal) != "" {
		ctx, stop := untilSignal(context.Background())
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("first")
		select {} // an end that does not come
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondSignal$")
	cmd.Env = append(os.Environ(), secondSignal+"=1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	for lines.Scan() && lines.Text() != "first" {
	}
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	for late := time.After(30 * time.Second); ; {
		select {
		case <-ended:
			return
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGINT)
		case <-late:
			_ = cmd.Process.Kill()
			<-ended
			t.Fatal("it hears no second signal")
		}
	}
}
