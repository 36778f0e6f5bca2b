package admin

// EndError is how a command ended that did what it could, and not all that was wanted: the code of exit says which, see its help.
type EndError struct {
	Code int
	Text string
}

func (e *EndError) Error() string { return e.Text }
