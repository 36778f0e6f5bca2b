package push

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"
)

// FuzzMessageOf: whatever a collector answers, the message is a part of it, as long as it says.
func FuzzMessageOf(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x01a", "\x01\x00\x00\x00\x01a", "\x00\xff\xff\xff\xffa"} {
		f.Add([]byte(s), "0", "a%20b")
	}
	f.Fuzz(func(t *testing.T, body []byte, status, text string) {
		m, err := messageOf(body)
		if err == nil && (!bytes.Equal(m, body[frameHead:]) || body[0] != 0) {
			t.Errorf("%q is the message of %q", m, body)
		}
		n, bad := strconv.Atoi(status)
		if err := statusOf(http.Header{"Grpc-Status": {status}, "Grpc-Message": {text}}); (err == nil) != (bad == nil && n == 0) {
			t.Errorf("status %q: %v", status, err)
		}
	})
}
