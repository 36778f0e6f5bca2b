package delay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"ringmq/store"
)

// document is delayOffset.json: the next queue offset of every level.
type document struct {
	DataVersion dataVersion      `json:"dataVersion"`
	OffsetTable map[string]int64 `json:"offsetTable"`
}

type dataVersion struct {
	Counter      int64 `json:"counter"`
	StateVersion int64 `json:"stateVersion"`
	Timestamp    int64 `json:"timestamp"`
}

// parseDocument reads delayOffset.json; a stock broker writes the levels without quotes.
func parseDocument(b []byte) (d document, err error) {
	if len(b) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(quoteKeys(b), &d); err != nil {
		return d, fmt.Errorf("delayOffset.json: %w", err)
	}
	return d, nil
}

// beyond is what the document says of other levels than the first n.
func (d document) beyond(n int) map[string]int64 {
	rest := maps.Clone(d.OffsetTable)
	maps.DeleteFunc(rest, func(key string, _ int64) bool {
		level, err := strconv.Atoi(key)
		return err != nil || level <= n
	})
	return rest
}

func (d document) encode() []byte {
	b, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		panic(err) // texts and numbers only
	}
	return b
}

// quoteKeys puts quotes around keys that are bare numbers.
func quoteKeys(b []byte) []byte {
	out := make([]byte, 0, len(b)+32)
	key := false // a key may begin here
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			end := i + 1
			for end < len(b) && b[end] != '"' {
				if b[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(b)-1)
			out = append(out, b[i:end+1]...)
			i, key = end, false
		case key && c >= '0' && c <= '9':
			end := i
			for end < len(b) && b[end] >= '0' && b[end] <= '9' {
				end++
			}
			out = strconv.AppendQuote(out, string(b[i:end]))
			i, key = end-1, false
		default:
			out = append(out, c)
			if c == '{' || c == ',' {
				key = true
			} else if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				key = false
			}
		}
	}
	return out
}

// TakeOver makes the progress that of a master's document, on disk too: for a slave, whose service is never started. Blocking.
func (s *Service) TakeOver(doc []byte) error {
	d, err := parseDocument(doc)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for i := range s.levels {
		s.levels[i].next = d.OffsetTable[strconv.Itoa(i+1)]
	}
	s.version, s.beyond = d.DataVersion, d.beyond(len(s.levels))
	b := s.document().encode()
	same := bytes.Equal(b, s.taken)
	s.mu.Unlock()
	if same {
		return nil
	}
	if err := s.o.Store.SaveDoc(store.DocDelayOffsets, b); err != nil {
		return fmt.Errorf("save delay offsets: %w", err)
	}
	s.mu.Lock()
	s.taken = b
	s.mu.Unlock()
	return nil
}
