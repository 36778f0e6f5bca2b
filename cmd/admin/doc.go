// Package admin has the commands of operators: stock mqadmin's, by their names and flags, for everything that name server and broker
// support. Their answers come as a table with stock's columns, as JSON or as CSV.
//
// A command is a row of data (name, flags) and a function that asks and writes what it found. It knows neither a command line nor a
// terminal: package main makes its commands from All, and hands what was given on the line to Run.
//
// Reading order: command.go (what a command is), all.go (the table of them), run.go (one run of one command), session.go (who is
// asked), out.go (the three forms of an answer), javatext.go and version.go (how stock writes things); then the commands, a file for
// each noun: topic*.go, group.go, progress.go, clients.go, running.go, broker.go, config.go, cold.go, cluster.go, ha.go, names.go,
// order.go, offset.go, message*.go, track.go, send.go, consume.go, queue.go, stats.go, export.go, trace.go.
package admin
