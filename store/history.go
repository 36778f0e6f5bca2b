package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
)

// historyName is the file in which a store keeps what its log is called, so that a slave knows whose copy it is.
const (
	historyName    = "history.json"
	historyVersion = 1
)

type historyFile struct {
	History uint64 `json:"history"`
}

// History names the log: a number made with the store, which copies of the log take over from the master. Any goroutine, no I/O.
func (s *Store) History() uint64 { return s.history.Load() }

// SetHistory makes durable whose copy the log is; 0 says nothing and changes nothing.
func (s *Store) SetHistory(history uint64) error {
	if history == 0 || history == s.history.Load() {
		return nil
	}
	if err := replaceWhole(s.fs, s.o.Root+"/ringmq", historyName, seal(historyVersion, historyFile{history})); err != nil {
		return fmt.Errorf("write the log's name: %w", err)
	}
	s.history.Store(history)
	return nil
}

// loadHistory reads the name, or makes one where there is none. One that is damaged is as good as none: slaves that compare equal take the
// new one over.
func (s *Store) loadHistory() error {
	b, err := readWhole(s.fs, s.o.Root+"/ringmq/"+historyName, 1<<10)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the log's name: %w", err)
	}
	var file historyFile
	if err == nil && unseal(b, historyVersion, &file) && file.History != 0 {
		s.history.Store(file.History)
		return nil
	}
	sayPassedOver(s.logger, historyName, b, historyVersion)
	return s.SetHistory(rand.Uint64() | 1)
}
