// Package namesrv is the name server: who has which topic. Brokers register and are forgotten when they fall silent or their
// connection ends; clients ask for routes.
//
// Reading order: routes.go and lookup.go (the tables; pure, time is passed in), leases.go and bounds.go (what may be in them), kv.go (the key-value configuration), config.go,
// server.go (sockets and timers), handlers.go (request codes), register.go (brokers and their topics, and what is done beside the loops),
// health.go (what probes ask).
package namesrv
