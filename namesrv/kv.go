package namesrv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"ringmq/netpoll/remoting"
)

// kv is the key-value configuration by namespace, kept in a file. Reads take no I/O; changes write the file, on a worker, and are only seen once
// they are in it.
type kv struct {
	path string
	file sync.Mutex // one change at a time
	mu   sync.RWMutex
	all  map[string]map[string]string // no map is changed; a change is a new one
	size int                          // bytes of all namespaces, keys and values; under file
}

// maxKVBytes bounds what clients can have kept, so that a namespace still fits an answer.
const maxKVBytes = 8 << 20

// errKVFull refuses what would not fit. Stock has no bound.
var errKVFull = fmt.Errorf("the kv configuration holds at most %d bytes", maxKVBytes)

type kvFile struct {
	ConfigTable map[string]map[string]string `json:"configTable"`
}

func openKV(path string) (*kv, error) {
	k := &kv{path: path, all: map[string]map[string]string{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kv configuration: %w", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return k, nil // as stock takes it
	}
	var f kvFile
	if err := remoting.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("kv configuration %s: %w", path, err)
	}
	for namespace, table := range f.ConfigTable {
		if table != nil {
			k.all[namespace] = table
			for key, value := range table {
				k.size += len(namespace) + len(key) + len(value)
			}
		}
	}
	return k, nil
}

func (k *kv) get(namespace, key string) (string, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	v, ok := k.all[namespace][key]
	return v, ok
}

func (k *kv) list(namespace string) (map[string]string, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	m, ok := k.all[namespace]
	return maps.Clone(m), ok
}

// put sets a value and returns once it is on disk. With an error what is served is as before.
func (k *kv) put(namespace, key, value string) error {
	k.file.Lock()
	defer k.file.Unlock()
	grown := len(value)
	if old, ok := k.all[namespace][key]; ok {
		grown -= len(old)
	} else {
		grown += len(namespace) + len(key)
	}
	if grown > 0 && k.size+grown > maxKVBytes {
		return errKVFull
	}
	return k.change(namespace, grown, func(table map[string]string) { table[key] = value })
}

// remove deletes a key and returns once that is on disk. With an error what is served is as before.
func (k *kv) remove(namespace, key string) error {
	k.file.Lock()
	defer k.file.Unlock()
	old, ok := k.all[namespace][key]
	if !ok {
		return nil
	}
	return k.change(namespace, -len(namespace)-len(key)-len(old), func(table map[string]string) { delete(table, key) })
}

// change has a namespace changed, by which all grow so much. Under file.
func (k *kv) change(namespace string, grown int, alter func(table map[string]string)) error {
	table := maps.Clone(k.all[namespace])
	if table == nil {
		table = map[string]string{}
	}
	alter(table)
	all := maps.Clone(k.all)
	all[namespace] = table
	if err := k.save(all); err != nil {
		return err
	}
	k.size += grown
	k.mu.Lock()
	k.all = all
	k.mu.Unlock()
	return nil
}

// save writes the file anew. Under file.
func (k *kv) save(all map[string]map[string]string) error {
	b, err := json.MarshalIndent(kvFile{all}, "", "\t")
	if err != nil {
		return err
	}
	dir := filepath.Dir(k.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := k.path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, k.path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
