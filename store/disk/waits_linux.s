//go:build uring && go1.26 && !go1.27

// Nothing is here: with a file of assembly in its package the compiler accepts functions that stand without a body, as waits_linux.go has them.
