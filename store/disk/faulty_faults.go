package disk

// FailAt makes operation op (counted from 1) fail with err and change nothing. A failed Datasync or Sync marks the data clean all the
// same, as Linux does: a later one of the same open file succeeds without making it durable. Each other file that was open on the data by then is
// told once, by its own next sync. A failed SyncAll marks the data of all files clean, unless err is ErrNoSyncAll.
func (d *Faulty) FailAt(op int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt[op] = err
}

// ShortAt makes operation op, if it is a write, write the first half of its bytes and fail with err.
func (d *Faulty) ShortAt(op int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shortAt[op] = err
}

// Lie has syncs of single files say from now on that all is well, and keep nothing: a device that loses what it has acknowledged.
func (d *Faulty) Lie(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lies = on
}

// CrashAt stops the machine at operation op: it and every later call return ErrCrashed.
func (d *Faulty) CrashAt(op int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = op
}

// Stop crashes now.
func (d *Faulty) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashed = true
}

// Ops returns how many changing operations there have been.
func (d *Faulty) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// OnOp calls fn before each changing operation, without any lock held: fn may block to stall the disk. Kinds are open, write,
// truncate, allocate, zero, datasync, sync, syncall, rename, remove, mkdir, syncdir.
func (d *Faulty) OnOp(fn func(op int, kind, name string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = fn
}

// SetFree bounds the space that may still be allocated; ENOSPC follows. -1 lifts the bound.
func (d *Faulty) SetFree(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = bytes
}

// FlipBit damages a stored byte, in the live and in the durable copy.
func (d *Faulty) FlipBit(name string, off int64, bit uint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[clean(name)]
	if n == nil || n.dir {
		return notExist("flip", name)
	}
	n.flip(off, bit)
	return nil
}
