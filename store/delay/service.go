package delay

import (
	"context"
	"log/slog"
	"time"

	"ringmq/store"
)

// Options of a Service. Store must be set.
type Options struct {
	Store  *store.Store
	Levels []time.Duration // messageDelayLevel; nil: store.DefaultDelayLevels
	// Deliver appends a due message to its real topic; nil: Store.Append. An error holds the level back and is retried.
	// The message is borrowed until Deliver returns.
	Deliver func(m *store.Message) (store.Placed, error)
	// Clock is time.Now unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Service is the goroutine that delivers. One per store, on a master only.
type Service struct{}

// New loads delayOffset.json and listens for arrivals; call it before the first Append.
func New(o Options) (*Service, error) { panic("not built") }

// Start begins to deliver.
func (s *Service) Start() { panic("not built") }

// Close stops delivering and saves the offsets. Call it before the store's Close.
func (s *Service) Close(ctx context.Context) error { panic("not built") }

// Progress is how far one level has come.
type Progress struct {
	Level   int
	Next    int64 // next queue offset to deliver
	Max     int64 // queue offset behind the last waiting message
	PastDue bool
}

// Progress lists the levels that have or had messages, by level; scheduleMessageOffset_N of code 28 is "Next,Max".
func (s *Service) Progress() []Progress { panic("not built") }

// Document is delayOffset.json as it would be written now (the answer to GET_ALL_DELAY_OFFSET).
func (s *Service) Document() []byte { panic("not built") }
