package remoting

import (
	"maps"
	"testing"

	"ringmq/interop/golden"
)

// TestCodes: the names are those of the release, no more and no fewer.
func TestCodes(t *testing.T) {
	requests, responses := golden.Codes(t)
	if len(requests) < 150 || !maps.Equal(requests, codeNames) {
		t.Errorf("%d request codes, %d recorded", len(codeNames), len(requests))
	}
	if len(responses) < 60 || !maps.Equal(responses, respNames) {
		t.Errorf("%d response codes, %d recorded", len(respNames), len(responses))
	}
	if CodeName(CodeLitePullMessage) != "LITE_PULL_MESSAGE" || CodeName(-7) != "-7" || RespName(RespGoAway) != "GO_AWAY" {
		t.Error("names")
	}
}
