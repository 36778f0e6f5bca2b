package store

import "errors"

var (
	// ErrFull says that the append buffer has no room: hold the request and try it again after Room called back.
	ErrFull = errors.New("append buffer is full")
	// ErrNotWritable says that the store takes no messages: failed log, no space, disk above its warning ratio, or
	// closing. The error returned wraps it together with the reason.
	ErrNotWritable = errors.New("store is not writable")
	// ErrTooLarge says that body, properties or the whole record exceed their limit.
	ErrTooLarge = errors.New("message too large")
	// ErrMalformed says that a message cannot be stored as it is: a topic that cannot name a folder (empty, "." or "..", with
	// a slash or a zero byte, over 255 bytes), negative queue id, a batch whose items do not add up.
	ErrMalformed = errors.New("message malformed")
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrLocked says that another process holds the store directory.
	ErrLocked = errors.New("store directory is locked by another process")
	// ErrGone says that the log does not reach from the offset asked for: retention took it, or it is not there yet.
	ErrGone = errors.New("not in the log")
	// ErrNotEnd says that copied bytes do not begin where the log ends.
	ErrNotEnd = errors.New("copy does not begin at the log's end")
	// ErrBusy says that something is under way that must be over first.
	ErrBusy = errors.New("the store is busy, try again")
	// ErrNotFound says that no whole record begins at the offset asked for.
	ErrNotFound = errors.New("no message there")
	// ErrCorrupt says that the record asked for is damaged; its body is not handed out.
	ErrCorrupt = errors.New("message is damaged")
)
