// Package config is a broker's configuration: the one table of the keys that broker.conf may hold, with the stock broker's names
// and defaults, and what the values mean for the store.
//
// Reading order: keys.tsv (name, kind, default, marks: m has a meaning here, r takes effect at run time), config.go,
// unsupported.go, address.go, roles.go, store.go, metrics.go, push.go.
package config
