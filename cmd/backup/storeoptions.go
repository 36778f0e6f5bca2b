package backup

import (
	"fmt"

	"ringmq/broker"
	"ringmq/broker/config"
	"ringmq/netpoll/remoting/settings"
	"ringmq/store"
)

// storeOptions are those that a broker with the master's keys would have.
func (r *run) storeOptions() (store.Options, error) {
	c, err := configOf(r.Dir, r.progress.Facts.Keys)
	if err != nil {
		return store.Options{}, fmt.Errorf("%s has a configuration that cannot be: %w", r.progress.Facts.Broker, err)
	}
	so := c.StoreOptions()
	if so.SegmentBytes != r.reach.SegmentBytes {
		return so, fmt.Errorf("%s says that its segments have %d bytes, and on its HA port %d: these are two brokers", r.progress.Facts.Broker, so.SegmentBytes, r.reach.SegmentBytes)
	}
	for _, k := range []string{"mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "mapperFileSizeBatchConsumeQueue"} {
		if was, is := r.m.Keys[k], r.progress.Facts.Keys[k]; was != is {
			return so, fmt.Errorf("%s has %s=%s, and the backup in %s %s: begin one in another directory", r.progress.Facts.Broker, k, is, r.Dir, was)
		}
	}
	// Durable at every step, and nothing is ever deleted: what the master's retention takes is kept here.
	so.SyncFlush, so.DisableRetention, so.Logger = true, true, r.Logger
	batches := map[string]bool{}
	for name, t := range r.tables.Topics.TopicConfigTable {
		batches[name] = t != nil && t.Attributes["queue.type"] == "BatchCQ"
	}
	so.BatchTopic = func(topic []byte) bool { return batches[string(topic)] }
	if r.alter != nil {
		r.alter(&so)
	}
	return so, nil
}

// configOf is a broker's configuration with a store in dir and the keys of a backup. Only keys of BackupKeys are looked at, whatever a
// master or a manifest says.
func configOf(dir string, keys map[string]string) (*config.Config, error) {
	all := []settings.Setting{{Key: "storePathRootDir", Value: dir, Origin: settings.File, Where: "backup"}}
	for _, k := range broker.BackupKeys() {
		if v, ok := keys[k]; ok {
			all = append(all, settings.Setting{Key: k, Value: v, Origin: settings.File, Where: "backup"})
		}
	}
	v, err := config.Keys("127.0.0.1").Merge(all)
	if err != nil {
		return nil, err
	}
	return config.New(v)
}
