package bench

import (
	"context"
	"errors"
	"os"
	"testing"
)

const testMemory = 64 * fillPiece

// memoryOf is a machine's of which so much is free; each look finds as much less as one piece of a file takes, as long as there is any.
func memoryOf(free int64, takes int64) (look func() int64, set func(int64)) {
	return func() int64 {
		now := free
		free = max(free-takes, 0)
		return now
	}, func(n int64) { free = n }
}

func TestFillMemory(t *testing.T) {
	folder := t.TempDir()
	free, set := memoryOf(20*fillPiece, fillPiece)
	m, err := fillMemory(t.Context(), folder, testMemory, free)
	if err != nil {
		t.Fatal(err)
	}
	// Some looks are no piece: those of who asks, and the one that finds it full.
	if left := free(); m.at < 15*fillPiece || left > 2*fillPiece {
		t.Errorf("%d bytes were read, %d are free", m.at, left)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("%v, %v lie in the folder", err, files)
	}
	m.rest = 5 * fillPiece
	set(7 * fillPiece)
	if n, err := m.Refill(t.Context()); n != 0 || err != nil {
		t.Errorf("%d bytes, %v; so little more than before is as good as full", n, err)
	}
	set(8 * fillPiece)
	m.at = fillFile - fillPiece
	if n, err := m.Refill(t.Context()); n < 4*fillPiece || err != nil {
		t.Errorf("%d bytes, %v across the end of the file", n, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestFillMemoryWithoutEffect(t *testing.T) {
	free, _ := memoryOf(20*fillPiece, 0)
	if _, err := fillMemory(t.Context(), t.TempDir(), testMemory, free); err == nil {
		t.Error("memory that stays free counts as filled")
	}
}

func TestFillMemoryIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	free, _ := memoryOf(20*fillPiece, fillPiece)
	if _, err := fillMemory(ctx, t.TempDir(), testMemory, free); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFillMemoryNowhere(t *testing.T) {
	free, _ := memoryOf(20*fillPiece, fillPiece)
	if _, err := fillMemory(t.Context(), t.TempDir()+"/none", testMemory, free); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
