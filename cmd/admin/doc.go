// Package admin has the commands of operators: stock mqadmin's, by their names and flags, for everything that name server and broker
// support. Their answers come as a table with stock's columns, as JSON or as CSV.
//
// A command is a row of data (name, flags) and a function that asks and writes what it found. It knows neither a command line nor a
// terminal: package main makes its commands from All, and hands what was given on the line to Run.
//
// Reading order: command.go (what a command is), all.go (the table of them), run.go, enderror.go and away.go (one run of one command), session.go (who is
// asked), out.go (the three forms of an answer), javatext.go, pretty.go and version.go (how stock writes things); then the commands:
//
//   - topics and groups: topic.go, topiclook.go, order.go, group.go;
//   - consumers: progress.go, clients.go, running.go, offset.go; lag.go, which is ours (laglook.go asks, lagcause.go judges);
//   - messages: message.go, messagefind.go, track.go, pull.go, print.go, consume.go, send.go, trace.go, queue.go;
//   - servers: cluster.go, config.go, names.go, stats.go, export.go, exportmetrics.go, tables.go; complete.go (names, for a shell);
//   - from one cluster to another: transfer.go (the document), exportall.go, importall.go (importplan.go and importoffsets.go compare);
//   - a broker out of use and back, which is ours: drain.go (the run), drainperm.go, drainwait.go (what is waited for), undrain.go.
package admin
