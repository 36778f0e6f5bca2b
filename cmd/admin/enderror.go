package admin

// EndError is how a command ended that did what it could, and not all that was wanted: the code of exit says which, see its help.
type EndError struct {
	Code int
	Text string
}

// Interrupted is the code of what a signal ended, as a shell has it.
const Interrupted = 130

func (e *EndError) Error() string { return e.Text }
