// Package web is what a broker answers over HTTP: metrics, on the address that stock has for them and on the operator's own; and there, probes
// of liveness and readiness and, for callers on this host only, profiles and execution traces. Nothing of it is on the way of a message.
package web
