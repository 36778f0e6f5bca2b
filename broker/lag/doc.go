// Package lag says how far consumer groups are behind, why, and when somebody has to be told: cause.go has the names of causes and
// judges rates, signs.go judges what else shows a cause, history.go keeps what it takes to tell rates and standstill from one look to the next, alarm.go raises alarms once and
// clears them once. It asks nobody and has no clock of its own.
package lag
