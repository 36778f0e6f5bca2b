package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// refuseOthers refuses what another release wrote and this one must not pass over. It comes before anything is changed: the release
// that goes on with the store then finds it as it left it, with no crash to recover from.
func (s *Store) refuseOthers() error {
	dir := s.o.Root + "/ringmq/"
	// What cannot be read at all is for those to say who use it.
	if b, err := readWhole(s.fs, dir+gravesName, maxDocumentBytes); err == nil {
		if _, err := ParseGraves(b); err != nil && !errors.Is(err, errGravesDamaged) {
			return fmt.Errorf("read deleted topics: %w", err)
		}
	}
	if b, err := readWhole(s.fs, dir+cutName, maxDocumentBytes); err == nil {
		if _, err := parseCutNote(b); err != nil {
			return fmt.Errorf("read %s: %w", cutName, err)
		}
	}
	return nil
}

// sayPassedOver says of a document that is not believed when the reason is that another release wrote it: what a start does without it
// takes longer, and an operator who went back to an older program should not have to guess why.
func sayPassedOver(logger *slog.Logger, name string, b []byte, known int) {
	var s sealed
	if json.Unmarshal(b, &s) == nil && s.FormatVersion > 0 && s.FormatVersion != known {
		logger.Info("a file of another release is passed over", "file", name, "formatVersion", s.FormatVersion, "known", known)
	}
}
