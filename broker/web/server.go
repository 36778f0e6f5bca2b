package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Server answers on one address. Any goroutine.
type Server struct {
	server *http.Server
	door   *door
	ended  chan struct{}
	gate   sync.RWMutex // held by requests that are being answered
	closed bool         // under gate
}

// Bounds of a request. Nothing here has a body.
const (
	headTime    = 5 * time.Second
	idleTime    = 10 * time.Second // who asks seldom connects again
	headBytes   = 16 << 10
	answerTime  = time.Minute      // and it is over, however slowly it is read: it holds a place
	debugTime   = 15 * time.Minute // of a profile or a trace, which may be of many seconds
	maxRequests = 8                // at a time, probes apart; those beyond are told to come again
)

// Serve listens on an address, host:port, and answers there until Close.
func Serve(addr string, h http.Handler, logger *slog.Logger) (*Server, error) {
	return serveWithin(addr, h, logger, answerTime)
}

func serveWithin(addr string, h http.Handler, logger *slog.Logger, answerTime time.Duration) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{door: &door{TCPListener: l.(*net.TCPListener)}, ended: make(chan struct{})}
	s.server = &http.Server{Handler: s.bounded(h, answerTime), ReadHeaderTimeout: headTime, ReadTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: headBytes,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, visitorKey{}, c) },
		ErrorLog:    slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	go func() {
		defer close(s.ended)
		if err := s.server.Serve(s.door); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("no more answers over HTTP", "address", l.Addr().String(), "error", err)
		}
	}()
	return s, nil
}

// bounded refuses what is too much at a time. Probes are never too many: all that ask at a time share one look, and whoever looks at profiles
// must not make a process look dead.
func (s *Server) bounded(h http.Handler, answerTime time.Duration) http.Handler {
	places := make(chan struct{}, maxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.gate.RLock()
		defer s.gate.RUnlock()
		if s.closed {
			return // nobody hears it
		}
		if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
			v.asks()
			defer v.answered()
		}
		limit := answerTime
		if strings.HasPrefix(r.URL.Path, "/debug/") {
			limit = debugTime
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
		if isProbe(r.URL.Path) {
			h.ServeHTTP(w, r)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			h.ServeHTTP(w, r)
		default:
			http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
		}
	})
}

// Addr is the address listened on, port filled in.
func (s *Server) Addr() netip.AddrPort { return s.door.Addr().(*net.TCPAddr).AddrPort() }

// closeTime is how long a request may go on that was being answered.
const closeTime = 500 * time.Millisecond

// Close lets requests end that soon do, cuts the others off, and returns when none is being answered any more: what they look at may be closed
// then.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	<-s.ended
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
}
