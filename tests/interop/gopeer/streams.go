package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	echoProtocol      = protocol.ID("/ocf/test/echo/1.0.0")
	bulkProtocol      = protocol.ID("/ocf/test/bulk/1.0.0")
	halfcloseProtocol = protocol.ID("/ocf/test/halfclose/1.0.0")
	resetProtocol     = protocol.ID("/ocf/test/reset/1.0.0")

	halfcloseMax = 4 << 20
	bufferBytes  = 1 << 17
)

// counters are what the peer counts as responder.
type counters struct {
	echoStreams, echoOpen, echoMaxOpen, open   atomic.Int64
	bulkIn, bulkOut, halfcloseBytes, resetSeen atomic.Int64
	sseCancelled, httpStreams, httpRequests    atomic.Int64
}

func (c *counters) read(reset bool) answer {
	out := answer{"open": c.open.Load()}
	for name, v := range map[string]*atomic.Int64{
		"echo_streams": &c.echoStreams, "echo_max_open": &c.echoMaxOpen,
		"bulk_in": &c.bulkIn, "bulk_out": &c.bulkOut,
		"halfclose_bytes": &c.halfcloseBytes, "reset_seen": &c.resetSeen, "sse_cancelled": &c.sseCancelled,
		"http_streams": &c.httpStreams, "http_requests": &c.httpRequests,
	} {
		if reset {
			out[name] = v.Swap(0)
		} else {
			out[name] = v.Load()
		}
	}
	return out
}

// serveStreams registers the responders of the four test protocols.
func (p *testPeer) serveStreams() {
	for proto, serve := range map[protocol.ID]func(network.Stream) error{
		echoProtocol: p.serveEcho, bulkProtocol: p.serveBulk,
		halfcloseProtocol: p.serveHalfclose, resetProtocol: p.serveReset,
	} {
		p.h.SetStreamHandler(proto, func(s network.Stream) {
			p.n.open.Add(1)
			defer p.n.open.Add(-1)
			if err := serve(s); err != nil {
				log.Printf("serve %s: %v", proto, err)
				s.Reset()
				return
			}
			s.Close()
		})
	}
}

func (p *testPeer) serveEcho(s network.Stream) error {
	p.n.echoStreams.Add(1)
	open := p.n.echoOpen.Add(1)
	defer p.n.echoOpen.Add(-1)
	for most := p.n.echoMaxOpen.Load(); open > most && !p.n.echoMaxOpen.CompareAndSwap(most, open); {
		most = p.n.echoMaxOpen.Load()
	}
	if p.fault == "echo-one-by-one" {
		p.oneEcho.Lock()
		defer p.oneEcho.Unlock()
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{p.tamper(s, "echo-flip")}, struct{ io.Reader }{s}, make([]byte, 1<<14))
	if p.fault == "echo-extra" {
		s.Write([]byte{0})
	}
	return err
}

// flipper is a writer that damages the last byte of each write.
type flipper struct{ io.Writer }

func (f flipper) Write(b []byte) (int, error) {
	c := bytes.Clone(b)
	c[len(c)-1] ^= 1
	return f.Writer.Write(c)
}

func (p *testPeer) tamper(w io.Writer, fault string) io.Writer {
	if p.fault == fault {
		return flipper{w}
	}
	return w
}

func (p *testPeer) serveBulk(s network.Stream) error {
	var head [13]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return err
	}
	n, at := int64(binary.BigEndian.Uint64(head[1:])), int64(binary.BigEndian.Uint32(head[9:]))
	switch head[0] {
	case 'S':
		if err := readPattern(s, at, n, make([]byte, bufferBytes)); err != nil {
			return err
		}
		if err := readEnd(s); err != nil {
			return err
		}
		p.n.bulkIn.Add(n)
		_, err := s.Write(head[1:9])
		return err
	case 'R':
		if err := readEnd(s); err != nil {
			return err
		}
		p.n.bulkOut.Add(n)
		if p.fault == "bulk-short" {
			n--
		}
		return writePattern(p.tamper(s, "bulk-flip"), at, n)
	}
	return fmt.Errorf("unknown direction %q", head[0])
}

func (p *testPeer) serveHalfclose(s network.Stream) error {
	var mode [1]byte
	if _, err := io.ReadFull(s, mode[:]); err != nil {
		return err
	}
	if mode[0] == 'R' {
		if _, err := io.WriteString(s, "bye\n"); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
	}
	all, err := io.ReadAll(io.LimitReader(s, halfcloseMax+1))
	if err != nil {
		return err
	}
	if len(all) > halfcloseMax {
		return errors.New("more than 4 MiB")
	}
	if err := readPattern(bytes.NewReader(all), 0, int64(len(all)), make([]byte, bufferBytes)); err != nil {
		return err
	}
	p.n.halfcloseBytes.Add(int64(len(all)))
	if mode[0] == 'I' {
		_, err = p.tamper(s, "halfclose-flip").Write(all)
	}
	return err
}

func (p *testPeer) serveReset(s network.Stream) error {
	var mode [1]byte
	if _, err := io.ReadFull(s, mode[:]); err != nil {
		return err
	}
	if mode[0] == 'R' {
		if err := writePattern(s, 0, 1000); err != nil {
			return err
		}
		if p.fault == "reset-as-end" {
			return nil
		}
		return s.Reset()
	}
	if err := writePattern(s, 0, 1<<62); !errors.Is(err, network.ErrReset) {
		return err
	}
	p.n.resetSeen.Add(1)
	return nil
}

// streams runs batches of `concurrency` echo streams.
func (p *testPeer) streams(ctx context.Context, id peer.ID, n, concurrency int, size int64) (answer, error) {
	total := int64(0)
	for first := 0; first < n; first += max(concurrency, 1) {
		batch := min(max(concurrency, 1), n-first)
		if err := p.echoBatch(ctx, id, first, batch, size); err != nil {
			return nil, fmt.Errorf("streams from %d on: %w", first, err)
		}
		total += int64(batch) * size
	}
	return answer{"n": n, "bytes": total}, nil
}

// echoBatch opens a batch of echo streams, and lets none go on before all have half of their bytes back.
func (p *testPeer) echoBatch(ctx context.Context, id peer.ID, first, batch int, size int64) error {
	var half, all sync.WaitGroup
	half.Add(batch)
	errs := make(chan error, batch)
	for k := first; k < first+batch; k++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := p.echo(ctx, id, int64(k)*4099, size, &half); err != nil {
				errs <- fmt.Errorf("stream %d: %w", k, err)
			}
		}()
	}
	all.Wait()
	close(errs)
	return <-errs
}

func (p *testPeer) echo(ctx context.Context, id peer.ID, at, size int64, half *sync.WaitGroup) error {
	reached := false
	defer func() {
		if !reached {
			half.Done()
		}
	}()
	s, err := p.open(ctx, id, echoProtocol)
	if err != nil {
		return err
	}
	err = echoPart(s, at, size/2)
	reached = true
	half.Done()
	half.Wait()
	if err == nil {
		err = echoPart(s, at+size/2, size-size/2)
	}
	if err == nil {
		err = s.CloseWrite()
	}
	if err == nil {
		err = readEnd(s)
	}
	return finish(s, err)
}

// echoPart sends n bytes and reads them back at the same time, so that no size can block both sides.
func echoPart(s network.Stream, at, n int64) error {
	sent := make(chan error, 1)
	go func() { sent <- writePattern(s, at, n) }()
	err := readPattern(s, at, n, make([]byte, 1<<14))
	if err != nil {
		s.Reset()
	}
	return errors.Join(err, <-sent)
}

// finish closes the stream, or resets it after an error, which it passes on.
func finish(s network.Stream, err error) error {
	if err != nil {
		s.Reset()
		return err
	}
	return s.Close()
}

func (p *testPeer) bulk(ctx context.Context, id peer.ID, dir string, n int64) (answer, error) {
	s, err := p.open(ctx, id, bulkProtocol)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	at := start.UnixNano() % period
	switch dir {
	case "send":
		err = bulkSend(s, at, n)
	case "recv":
		err = bulkRecv(s, at, n)
	default:
		err = fmt.Errorf("unknown direction %q", dir)
	}
	return answer{"bytes": n, "ms": time.Since(start).Milliseconds()}, finish(s, err)
}

func bulkHead(s network.Stream, dir byte, at, n int64) error {
	head := binary.BigEndian.AppendUint64([]byte{dir}, uint64(n))
	_, err := s.Write(binary.BigEndian.AppendUint32(head, uint32(at)))
	return err
}

func bulkSend(s network.Stream, at, n int64) error {
	if err := bulkHead(s, 'S', at, n); err != nil {
		return err
	}
	if err := writePattern(s, at, n); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	var seen [8]byte
	if _, err := io.ReadFull(s, seen[:]); err != nil {
		return err
	}
	if got := int64(binary.BigEndian.Uint64(seen[:])); got != n {
		return fmt.Errorf("the responder saw %d of %d bytes", got, n)
	}
	return readEnd(s)
}

func bulkRecv(s network.Stream, at, n int64) error {
	if err := bulkHead(s, 'R', at, n); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if err := readPattern(s, at, n, make([]byte, bufferBytes)); err != nil {
		return err
	}
	return readEnd(s)
}

func (p *testPeer) halfclose(ctx context.Context, id peer.ID, mode string, n int64) (answer, error) {
	s, err := p.open(ctx, id, halfcloseProtocol)
	if err != nil {
		return nil, err
	}
	switch mode {
	case "initiator":
		err = halfcloseInitiator(s, n)
	case "responder":
		err = halfcloseResponder(s, n)
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	return answer{"bytes": n}, finish(s, err)
}

// halfcloseInitiator closes our direction first: everything comes back against it.
func halfcloseInitiator(s network.Stream, n int64) error {
	if _, err := s.Write([]byte{'I'}); err != nil {
		return err
	}
	if err := writePattern(s, 0, n); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if err := readPattern(s, 0, n, make([]byte, bufferBytes)); err != nil {
		return err
	}
	return readEnd(s)
}

// halfcloseResponder sends everything after the other side has closed its direction.
func halfcloseResponder(s network.Stream, n int64) error {
	if _, err := s.Write([]byte{'R'}); err != nil {
		return err
	}
	bye, err := io.ReadAll(s)
	if err != nil || string(bye) != "bye\n" {
		return fmt.Errorf("expected bye, got %q: %v", bye, err)
	}
	if err := writePattern(s, 0, n); err != nil {
		return err
	}
	return s.CloseWrite()
}

func (p *testPeer) reset(ctx context.Context, id peer.ID, mode string) (answer, error) {
	s, err := p.open(ctx, id, resetProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	switch mode {
	case "initiator":
		if _, err := s.Write([]byte{'I'}); err != nil {
			return nil, err
		}
		return answer{"bytes": 1 << 16}, readPattern(s, 0, 1<<16, make([]byte, 1<<14))
	case "responder":
		if _, err := s.Write([]byte{'R'}); err != nil {
			return nil, err
		}
		got, err := io.Copy(io.Discard, s)
		if !errors.Is(err, network.ErrReset) {
			return nil, fmt.Errorf("expected a reset, got %v after %d bytes", err, got)
		}
		return answer{"bytes": got}, nil
	}
	return nil, fmt.Errorf("unknown mode %q", mode)
}
