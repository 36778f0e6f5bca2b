// Package ask puts questions to name servers and brokers, ours or any that speak RocketMQ's protocol, for the commands that look at a
// running set-up: connections and errors in ask.go, typed answers in answers.go.
package ask
