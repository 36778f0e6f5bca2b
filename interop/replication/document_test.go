package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func every(string) bool { return true }

func TestStepsOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.md")
	text := "## One\n```sh\na\nb\n```\n\n```\nprinted\n```\n```\nnot\n```\n### Below\n```sh\nc\n```\nprose\n```\nnot either\n```\n## Two\n```json\n{}\n```\n```sh\nd\n```\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := stepsOf(file, every)
	want := []step{{"One", "a\nb\n", "printed\n"}, {"One", "c\n", ""}, {"Two", "d\n", ""}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v %q", err, got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if got, _ := stepsOf(file, func(title string) bool { return title == "Two" }); len(got) != 1 || got[0].commands != "d\n" {
		t.Errorf("%q", got)
	}
}

func TestMasked(t *testing.T) {
	for _, pair := range [][2]string{
		{"#Addr   127.0.0.1:10911\n\n x  0.2700 true", "#Addr 10.0.0.7:1\nx 1 true\n"},
		{"broker-a  1  SEND_OK  7F0000017BB7A77796948A1D1A9D0000", "broker-a 7 SEND_OK 7F00000101E201E6AC3E8A1DBCE10000"},
	} {
		if masked(pair[0]) != masked(pair[1]) {
			t.Errorf("%q and %q", masked(pair[0]), masked(pair[1]))
		}
	}
	if masked("x 1 true") == masked("x 1 false") || masked("a\nb") == masked("a") {
		t.Error("what differs is masked")
	}
}

// TestPairFiles: the files that the package brings are those of the document.
func TestPairFiles(t *testing.T) {
	steps, err := stepsOf("../../docs/REPLICATION.md", func(title string) bool { return title == setUpTitle })
	if err != nil || len(steps) == 0 {
		t.Fatal(err, steps)
	}
	found := regexp.MustCompile(`(?s)cat >(\w+\.conf) <<'END'\n(.*?)END\n`).FindAllStringSubmatch(steps[0].commands, -1)
	if len(found) != 2 {
		t.Fatalf("%d files in %q", len(found), steps[0].commands)
	}
	for _, f := range found {
		if got, err := os.ReadFile("../../deploy/conf/pair/" + f[1]); err != nil || string(got) != f[2] {
			t.Errorf("%s: %v\n%s\nthe document has\n%s", f[1], err, got, f[2])
		}
	}
}
