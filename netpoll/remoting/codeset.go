package remoting

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// CodeSet are hashes of tags. Java clients write them as numbers, the Go client as texts; both are read, numbers are written.
type CodeSet []int32

// UnmarshalJSON implements json.Unmarshaler.
func (s *CodeSet) UnmarshalJSON(b []byte) error {
	var all []json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	set := make(CodeSet, 0, len(all))
	for _, raw := range all {
		text := string(raw)
		if len(raw) > 0 && raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("codeSet: %w", err)
		}
		set = append(set, int32(n))
	}
	*s = set
	return nil
}
