package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// setUpTitle is the heading in docs/REPLICATION.md whose commands are run.
const setUpTitle = "Setting up a pair"

// setUpPair runs the commands of a document that set up a pair, kill its master and bring it back, and compares what they print with what the
// document says that they print. They name ports that are usual and therefore taken: it needs a network of its own.
func setUpPair(s *stage, document string) (string, error) {
	if os.Geteuid() != 0 {
		return "", skipped("needs root, for a network of its own")
	}
	steps, err := stepsOf(document, func(title string) bool { return title == setUpTitle })
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.work, "setup")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	o, err := startOperator(dir, map[string]string{"ringmq": "exec " + s.bin + " \"$@\""}, []string{"HOME=" + dir, "NAMESRV_ADDR="}, true)
	if err != nil {
		return "", err
	}
	compared := 0
	run := func() error {
		if _, err := o.do("ip link set lo up", 10*time.Second); err != nil {
			return err
		}
		for i, st := range steps {
			got, err := o.do(st.commands, time.Minute)
			if err != nil {
				return fmt.Errorf("block %d: %w; it printed %q", i+1, err, got)
			}
			if st.prints == "" {
				continue
			}
			if got, want := masked(got), masked(st.prints); got != want {
				return fmt.Errorf("block %d prints %q, the document has %q", i+1, got, want)
			}
			compared++
		}
		return nil
	}
	err = run()
	if endErr := o.end(); err == nil {
		err = endErr
	}
	if err == nil && (len(steps) < 5 || compared < 3) {
		err = fmt.Errorf("%s has %d blocks of commands, and what %d of them print", document, len(steps), compared)
	}
	return fmt.Sprintf("%d blocks, the output of %d as the document has it", len(steps), compared), err
}

var (
	messageID = regexp.MustCompile(`\b[0-9A-F]{32}\b`)
	figures   = regexp.MustCompile(`[0-9][0-9.:]*`)
)

// masked is a text without what differs from run to run: figures, ids, and how wide columns are.
func masked(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = figures.ReplaceAllString(messageID.ReplaceAllString(line, "N"), "N")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
