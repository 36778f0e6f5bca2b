package meta

import (
	"bytes"
	"encoding/json"
)

// encode encodes v in the layout of the stock broker's files: tabs, a member a line, no blank behind a colon, lists on one
// line.
func encode(v any) ([]byte, error) {
	var compact bytes.Buffer
	e := json.NewEncoder(&compact)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return layout(bytes.TrimRight(compact.Bytes(), "\n")), nil
}

// layout breaks compact JSON into lines.
func layout(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(in)/2)
	depth := 0
	line := func() {
		out = append(out, '\n')
		for range depth {
			out = append(out, '\t')
		}
	}
	var lists []int // depth of objects at which a list is open
	for i := 0; i < len(in); i++ {
		switch ch := in[i]; ch {
		case '"':
			end := i + 1
			for in[end] != '"' {
				if in[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, in[i:end+1]...)
			i = end
		case '{':
			out = append(out, ch)
			if in[i+1] == '}' {
				out = append(out, '}')
				i++
				continue
			}
			depth++
			line()
		case '}':
			depth--
			line()
			out = append(out, ch)
		case '[':
			lists = append(lists, depth)
			out = append(out, ch)
		case ']':
			lists = lists[:len(lists)-1]
			out = append(out, ch)
		case ',':
			out = append(out, ch)
			if len(lists) == 0 || lists[len(lists)-1] != depth {
				line()
			}
		default:
			out = append(out, ch)
		}
	}
	return out
}
