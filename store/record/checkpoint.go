package record

import "encoding/binary"

// CheckpointBytes is the size of the checkpoint file.
const CheckpointBytes = 4096

// Checkpoint says up to which record, by its store time in ms, the parts of a store were durable.
type Checkpoint struct {
	PhysicTimestamp     int64 // commit log
	LogicsTimestamp     int64 // consume queues
	IndexTimestamp      int64 // key index
	MasterFlushedOffset int64
	ConfirmOffset       int64
}

// Append appends the checkpoint file's 4096 bytes.
func (c Checkpoint) Append(dst []byte) []byte {
	be := binary.BigEndian
	start := len(dst)
	dst = be.AppendUint64(dst, uint64(c.PhysicTimestamp))
	dst = be.AppendUint64(dst, uint64(c.LogicsTimestamp))
	dst = be.AppendUint64(dst, uint64(c.IndexTimestamp))
	dst = be.AppendUint64(dst, uint64(c.MasterFlushedOffset))
	dst = be.AppendUint64(dst, uint64(c.ConfirmOffset))
	for len(dst)-start < CheckpointBytes {
		dst = append(dst, 0)
	}
	return dst
}

// Parse reads a checkpoint file; what a short one does not hold is 0, which means: nothing is known.
func (c *Checkpoint) Parse(b []byte) {
	fields := [...]*int64{&c.PhysicTimestamp, &c.LogicsTimestamp, &c.IndexTimestamp, &c.MasterFlushedOffset, &c.ConfirmOffset}
	for i, f := range fields {
		*f = 0
		if len(b) >= 8*(i+1) {
			*f = int64(binary.BigEndian.Uint64(b[8*i:]))
		}
	}
}
