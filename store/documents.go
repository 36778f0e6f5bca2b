package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"ringmq/store/disk"
)

// Doc names one of the JSON documents under config/.
type Doc int

const (
	DocTopics          Doc = iota // topics.json
	DocGroups                     // subscriptionGroup.json
	DocConsumerOffsets            // consumerOffset.json
	DocDelayOffsets               // delayOffset.json
	DocConsumerFilter             // consumerFilter.json
	DocConsumerOrder              // consumerOrderInfo.json
	DocQueueMapping               // topicQueueMapping.json
	DocRequestMode                // messageRequestMode.json
	docCount
)

var docNames = [docCount]string{"topics.json", "subscriptionGroup.json", "consumerOffset.json", "delayOffset.json",
	"consumerFilter.json", "consumerOrderInfo.json", "topicQueueMapping.json", "messageRequestMode.json"}

// maxDocumentBytes bounds what a damaged directory can make us read.
const maxDocumentBytes = 1 << 30

// documents is the folder config/. The new text is synced under another name before any name changes, so at every
// moment the document or its .bak is whole; the .bak holds the text before, as a stock broker expects.
type documents struct {
	fs     disk.FS
	dir    string
	logger *slog.Logger
	locks  [docCount]sync.Mutex
}

// LoadDoc reads a document or, where it is not there or not whole, the one before it; nil and no error where there is neither, as at the first
// start. What is whole need not make sense: see ReadDoc. Blocking; any goroutine.
func (s *Store) LoadDoc(d Doc) ([]byte, error) { return s.docs.load(d) }

// SaveDoc replaces a document and returns when the new one is durable. At every moment a crash leaves a readable old or
// new document. Blocking; any goroutine; calls for one document are made one after the other.
func (s *Store) SaveDoc(d Doc, b []byte) error { return s.docs.save(d, b) }

// DocFrom says where a document came from.
type DocFrom uint8

const (
	FromNowhere DocFrom = iota // there is none, or none that can be read
	FromItsFile
	FromTheOneBefore // .bak, because the newer one is not there or cannot be read
)

// ReadDoc hands a document to read, and the one before it where read cannot take it; nil where there is none that it takes, as at the
// first start. One that was not taken is kept under another name, .unreadable, so that nothing that is saved later takes its place.
// Blocking; any goroutine.
func (s *Store) ReadDoc(d Doc, read func([]byte) error) (DocFrom, error) {
	c := &s.docs
	c.locks[d].Lock()
	defer c.locks[d].Unlock()
	name := c.dir + "/" + docNames[d]
	for i, n := range []string{name, name + ".bak"} {
		b, err := c.readFirst(n)
		if err != nil {
			return FromNowhere, err
		}
		if b == nil {
			continue
		}
		if err = read(b); err == nil {
			return FromItsFile + DocFrom(i), nil
		}
		c.logger.Error("document cannot be read, it is kept as .unreadable and the one before is taken", "file", n, "error", err)
		if err := c.fs.Rename(n, n+".unreadable"); err != nil {
			return FromNowhere, fmt.Errorf("set unreadable document aside: %w", err)
		}
	}
	return FromNowhere, read(nil)
}

// PeekDoc reads a document of a store that need not be open, whole as it is now; nil: there is none.
func PeekDoc(o Options, d Doc) ([]byte, error) {
	o = o.withDefaults()
	c := documents{fs: o.FS, dir: o.Root + "/config", logger: o.Logger}
	return c.load(d)
}

func (c *documents) load(d Doc) ([]byte, error) {
	c.locks[d].Lock()
	defer c.locks[d].Unlock()
	name := c.dir + "/" + docNames[d]
	return c.readFirst(name, name+".bak")
}

// readFirst reads the first of some files that is there and whole; nil: none is.
func (c *documents) readFirst(names ...string) ([]byte, error) {
	for _, n := range names {
		b, err := readWhole(c.fs, n, maxDocumentBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("load document: %w", err)
		}
		if wholeJSON(b) {
			return b, nil
		}
		c.logger.Warn("document is not whole, trying the one before", "file", n, "bytes", len(b))
	}
	return nil, nil
}

func (c *documents) save(d Doc, b []byte) error {
	c.locks[d].Lock()
	defer c.locks[d].Unlock()
	name := c.dir + "/" + docNames[d]
	if err := writeWhole(c.fs, name+".tmp", b); err != nil {
		return fmt.Errorf("save document: %w", err)
	}
	// A broken document must not take the place of a whole .bak.
	old, err := readWhole(c.fs, name, maxDocumentBytes)
	if err == nil && wholeJSON(old) {
		if err := c.fs.Rename(name, name+".bak"); err != nil {
			return fmt.Errorf("save document: %w", err)
		}
	}
	if err := c.fs.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("save document: %w", err)
	}
	if err := c.fs.SyncDir(c.dir); err != nil {
		return fmt.Errorf("save document: %w", err)
	}
	return nil
}

// batchTopics lists the topics that are declared to keep their batches: a start has to know them before the topics' owner is
// there. A document that cannot be read lists none.
func (c *documents) batchTopics() map[string]bool {
	var file struct {
		Topics map[string]struct {
			Attributes map[string]string `json:"attributes"`
		} `json:"topicConfigTable"`
	}
	b, err := c.load(DocTopics)
	if err == nil && len(b) > 0 {
		err = json.Unmarshal(b, &file)
	}
	if err != nil {
		c.logger.Warn("topics cannot be read: which keep their batches is known by their queues only", "error", err)
		return nil
	}
	var list map[string]bool
	for name, t := range file.Topics {
		if t.Attributes["queue.type"] != "BatchCQ" {
			continue
		}
		if list == nil {
			list = map[string]bool{}
		}
		list[name] = true
	}
	return list
}

// wholeJSON says whether b is one JSON object or array from beginning to end. Only strings and brackets are looked at:
// what a stock broker writes has bare numbers and even objects as keys.
func wholeJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	if len(b) < 2 || b[0] != '{' && b[0] != '[' {
		return false
	}
	var open []byte
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i+1)
			if i < 0 {
				return false
			}
		case '{', '[':
			open = append(open, b[i]+2) // the closing bracket of either kind is two code points on
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != b[i] {
				return false
			}
			open = open[:len(open)-1]
			if len(open) == 0 && i != len(b)-1 {
				return false
			}
		case 0:
			return false
		}
	}
	return len(open) == 0
}

// stringEnd is the position of the quote that closes the string text begun before from, -1 when none does.
func stringEnd(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// errTooLong is what readWhole says of a file that is longer than its reader expects.
var errTooLong = errors.New("file is too long")

// readWhole reads a file of at most limit bytes.
func readWhole(f disk.FS, name string, limit int64) ([]byte, error) {
	file, err := f.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%w: %s: %d bytes are more than %d", errTooLong, name, size, limit)
	}
	b := make([]byte, size)
	if _, err := file.ReadAt(b, 0); err != nil && size > 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// writeWhole writes and syncs a file; its name is durable only after the folder has been synced.
func writeWhole(f disk.FS, name string, b []byte) (err error) {
	file, err := f.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	if _, err := file.WriteAt(b, 0); err != nil {
		return err
	}
	return file.Sync()
}
