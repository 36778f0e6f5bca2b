package bench

import (
	"strings"
	"testing"
)

func TestThisHost(t *testing.T) {
	h := ThisHost()
	if h.Processors < 1 || h.MemoryBytes < 1<<20 || !strings.HasPrefix(h.System, "Linux ") || h.Processor == "" {
		t.Errorf("%+v", h)
	}
	if got := processor("processor : 0\nmodel name\t: Some  CPU @ 2\nmodel name: Other\n"); got != "Some CPU @ 2" {
		t.Error(got)
	}
	if got := (Host{}).String(); got != "unknown" {
		t.Error(got)
	}
}
