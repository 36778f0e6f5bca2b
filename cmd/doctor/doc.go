// Package doctor finds out why a set-up of name servers, brokers and consumer groups does not work, and says what to do about it.
// It works against any broker that speaks RocketMQ's protocol, as far as its answers go, and changes nothing that it does not change
// back.
//
// Every check is a pair: a function that asks (a server, a file, the kernel) and keeps what it saw as data, and a function that
// judges this data and returns findings. Judges ask nothing, so that any broken set-up can be made as data.
//
// Reading order:
//
//   - finding.go: what is found, and how bad it is; options.go: what may be looked at; doctor.go: the order of the looks; command.go: the
//     commands that fixes name;
//   - questions are put through package ask; words.go: how figures are written;
//   - the checks: names.go (name servers and who is registered), address.go (dialled as a client would), permission.go (what clients may do there), version.go, clock.go, disk.go
//     (engine, space, retention), damage.go (what a broker has found wrong with its files), limits.go (of the process, and how busy it is), copies.go (master and slaves), config.go and namesconfig.go (a
//     broker.conf or namesrv.conf, and what servers have in force), store.go and sample.go (a store's files), path.go, sendpull.go and cleanup.go (a message sent and read back), topic.go
//     and topicfix.go, group.go (who is asked about a group), members.go, subscriptions.go, progress.go and locks.go (what the answers mean);
//   - table.go: for a terminal; json.go: for programs.
//
// # Names
//
// A finding's name is a diagnosis and does not change between releases; programs may go by it. Several findings may have one name
// and differ in what they are about.
package doctor
