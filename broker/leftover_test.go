package broker

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/interop/golden"
)

// TestLeftovers: what a stock broker had under way and nobody finishes here is named at the start; what it was done with (crc), and a store of
// ours, is not.
func TestLeftovers(t *testing.T) {
	for name, want := range map[string]string{"killed": "half messages of transactions", "crc": "", "timer": "messages for a moment of their own", "batchcq": "", "": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			var settings []string
			if name != "" {
				root := golden.Store(t, name)
				conf := golden.StoreConf(t, name)
				for _, key := range []string{"mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "mapperFileSizeBatchConsumeQueue", "maxHashSlotNum", "maxIndexNum"} {
					if v := conf[key]; v != "" {
						settings = append(settings, key+"="+v)
					}
				}
				settings = append(settings, "storePathRootDir="+root, "storePathCommitLog="+filepath.Join(root, "commitlog"), "fileReservedTime=1000000")
			}
			log := &logged{}
			r.startWith(Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, func(*Broker) {}, settings...)
			r.stopBroker()
			said := log.lines("only a stock broker finishes")
			if want == "" && len(said) > 0 || want != "" && (len(said) != 1 || !strings.Contains(said[0], want)) {
				t.Errorf("%q, want %q", said, want)
			}
		})
	}
}
