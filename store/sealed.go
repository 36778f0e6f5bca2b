package store

import (
	"encoding/json"
	"hash/crc32"
)

// sealed is a document of ours that has its checksum beside it: one flipped digit must not move what it speaks of.
type sealed struct {
	FormatVersion int             `json:"formatVersion"`
	Checksum      uint32          `json:"crc32c"` // of the bytes of Content as they are in the file
	Content       json.RawMessage `json:"content"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal makes a document of a struct of numbers and texts.
func seal(version int, content any) []byte {
	b, err := json.Marshal(content)
	if err == nil {
		b, err = json.Marshal(sealed{FormatVersion: version, Checksum: crc32.Checksum(b, castagnoli), Content: b})
	}
	if err != nil {
		panic(err)
	}
	return b
}

// unseal reads a document into content; false: it is not whole, or of another version.
func unseal(b []byte, version int, content any) bool {
	var s sealed
	return json.Unmarshal(b, &s) == nil && s.FormatVersion == version && crc32.Checksum(s.Content, castagnoli) == s.Checksum &&
		json.Unmarshal(s.Content, content) == nil
}
