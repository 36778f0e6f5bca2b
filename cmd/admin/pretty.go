package admin

import (
	"bytes"
	"encoding/json"
	"strings"
)

// prettyJSON writes standard JSON with tabs, as stock's JSON library does it: without a space after a colon, and empty lists and
// objects in one piece. Text that is no JSON is written as it is.
func prettyJSON(w *strings.Builder, text []byte) {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "\t") != nil {
		w.Write(text)
		return
	}
	quoted, escaped := false, false
	out := b.Bytes()
	for i, ch := range out {
		if !quoted && ch == ' ' && i > 0 && out[i-1] == ':' {
			continue
		}
		w.WriteByte(ch)
		switch {
		case escaped:
			escaped = false
		case quoted && ch == '\\':
			escaped = true
		case ch == '"':
			quoted = !quoted
		}
	}
}
