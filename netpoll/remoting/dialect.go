package remoting

import (
	"encoding/json"
	"fmt"
)

// StandardJSON turns the reference broker's JSON dialect into standard JSON: numeric keys that stand unquoted are quoted, and
// an object used as a key ({{"topic":"T"}:9}) becomes its own text as a string. Standard text is returned as it is.
func StandardJSON(b []byte) ([]byte, error) {
	if json.Valid(b) {
		return b, nil
	}
	d := dialect{in: b, out: make([]byte, 0, len(b)+len(b)/8)}
	d.value(0)
	d.space()
	if d.err == nil && d.i != len(b) {
		d.fail("text behind the value")
	}
	if d.err != nil {
		return nil, d.err
	}
	if !json.Valid(d.out) {
		return nil, fmt.Errorf("remoting: no JSON text, not even in the reference broker's dialect")
	}
	return d.out, nil
}

type dialect struct {
	in  []byte
	i   int
	out []byte
	err error

	inKey bool // within an object that is itself a key
}

func (d *dialect) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("remoting: JSON broken at byte %d: %s", d.i, what)
	}
}

func (d *dialect) space() {
	for d.i < len(d.in) && (d.in[d.i] == ' ' || d.in[d.i] == '\n' || d.in[d.i] == '\t' || d.in[d.i] == '\r') {
		d.i++
	}
}

func (d *dialect) peek() byte {
	d.space()
	if d.i < len(d.in) {
		return d.in[d.i]
	}
	return 0
}

func (d *dialect) take(ch byte) bool {
	if d.peek() != ch {
		return false
	}
	d.i++
	d.out = append(d.out, ch)
	return true
}

func (d *dialect) value(depth int) {
	if depth > maxJSONDepth {
		d.fail("nested too deep")
		return
	}
	switch d.peek() {
	case '{':
		d.object(depth)
	case '[':
		d.array(depth)
	case '"':
		d.text()
	default:
		d.bare()
	}
}

func (d *dialect) object(depth int) {
	d.take('{')
	if d.take('}') {
		return
	}
	for d.err == nil {
		d.objectKey(depth)
		if !d.take(':') {
			d.fail("no colon")
			return
		}
		d.value(depth + 1)
		if d.take('}') {
			return
		}
		if !d.take(',') {
			d.fail("no comma")
		}
	}
}

func (d *dialect) objectKey(depth int) {
	switch d.peek() {
	case '"':
		d.text()
	case '{', '[':
		if d.inKey { // quoting once more would double the text, at every level
			d.fail("a key within a key")
			return
		}
		at := len(d.out)
		d.inKey = true
		d.value(depth + 1)
		d.inKey = false
		key := string(d.out[at:])
		d.out = appendQuoted(d.out[:at], key)
	default:
		d.out = append(d.out, '"')
		d.bare()
		d.out = append(d.out, '"')
	}
}

func (d *dialect) array(depth int) {
	d.take('[')
	if d.take(']') {
		return
	}
	for d.err == nil {
		d.value(depth + 1)
		if d.take(']') {
			return
		}
		if !d.take(',') {
			d.fail("no comma")
		}
	}
}

func (d *dialect) text() {
	at := d.i
	for d.i++; d.i < len(d.in); d.i++ {
		switch d.in[d.i] {
		case '\\':
			d.i++
		case '"':
			d.i++
			d.out = append(d.out, d.in[at:d.i]...)
			return
		}
	}
	d.fail("text without end")
}

func (d *dialect) bare() {
	at := d.i
	for d.i < len(d.in) {
		ch := d.in[d.i]
		if ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '-' || ch == '+' || ch == '.' || ch == '_' || ch == '$' {
			d.i++
			continue
		}
		break
	}
	if d.i == at {
		d.fail("no value")
		return
	}
	d.out = append(d.out, d.in[at:d.i]...)
}

// tooDeep says that brackets are open deeper than any body of the protocol has them. Broken text is somebody else's matter.
func tooDeep(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxJSONDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// CountJSON is how many objects a JSON text has, and about how many values: elements of arrays and members of objects. Decoding takes time
// and memory by them, many times what the text takes. Broken text is somebody else's matter.
func CountJSON(b []byte) (objects, values int) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{':
			objects++
			values++
		case '[', ',':
			values++
		}
	}
	return objects, values
}

// Unmarshal decodes JSON in either dialect, of at most 32 levels: nothing of the protocol has more than a few, and what is written
// into a document must stay readable inside of it.
func Unmarshal(b []byte, v any) error {
	if tooDeep(b) {
		return fmt.Errorf("remoting: JSON of more than %d levels", maxJSONDepth)
	}
	std, err := StandardJSON(b)
	if err != nil {
		return err
	}
	return json.Unmarshal(std, v)
}
