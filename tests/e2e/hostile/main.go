// A client of libp2p connections that breaks rules, and one that is merely in a hurry.
//
//	hostile -addr 127.0.0.1:4001 -peer 12D3Koo... -case name [-n N]
//
// Multistream and Noise are go-libp2p's; what comes after is written here byte by byte, since a library
// would refuse to. Prints one JSON object: what was done and how the other side took it.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	mss "github.com/multiformats/go-multistream"
)

const (
	muxer   = "/yamux/1.0.0"
	pingID  = "/ipfs/ping/1.0.0"
	timeout = 20 * time.Second
)

// Frame types and flags of yamux.
const (
	data, windowUpdate, ping, goAway = 0, 1, 2, 3
	syn, ack, fin, rst               = 1, 2, 4, 8
)

var (
	addr = flag.String("addr", "", "host:port of the node")
	id   = flag.String("peer", "", "the node's peer id")
	name = flag.String("case", "", "what to do")
	path = flag.String("path", "", "of a service that does not read (case overrun)")
	n    = flag.Int("n", 200, "how many at once")
)

// conn is a secured connection on which yamux was agreed.
type conn struct {
	sec.SecureConn
	raw net.Conn
}

// cutter closes the connection once so many bytes have been written.
type cutter struct {
	net.Conn
	left int
}

var errCut = errors.New("cut on purpose")

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		k, _ := c.Conn.Write(p[:c.left])
		c.left = 0
		c.Conn.Close()
		return k, errCut
	}
	c.left -= len(p)
	return c.Conn.Write(p)
}

func secure(ctx context.Context, raw net.Conn, want peer.ID) (*conn, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := noise.New(noise.ID, key, []tptu.StreamMuxer{{ID: muxer}})
	if err != nil {
		return nil, err
	}
	if err := mss.SelectProtoOrFail(protocol.ID(noise.ID), raw); err != nil {
		return nil, fmt.Errorf("agreeing on noise: %w", err)
	}
	s, err := t.SecureOutbound(ctx, raw, want)
	if err != nil {
		return nil, fmt.Errorf("noise: %w", err)
	}
	if s.ConnState().StreamMultiplexer == muxer {
		return &conn{s, raw}, nil
	}
	if err := mss.SelectProtoOrFail(protocol.ID(muxer), s); err != nil {
		return nil, fmt.Errorf("agreeing on yamux: %w", err)
	}
	return &conn{s, raw}, nil
}

func dial() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", *addr, timeout)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(timeout))
	}
	return c, err
}

func open() *conn {
	raw, err := dial()
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := secure(ctx, raw, target())
	check(err)
	return c
}

func target() peer.ID {
	p, err := peer.Decode(*id)
	check(err)
	return p
}

func frame(kind, flags uint16, stream, length uint32, payload ...byte) []byte {
	b := []byte{0, byte(kind)}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, payload...)
}

// header reads frames until one of stream `want` comes, and answers pings and greetings on the way.
func header(c *conn, want uint32) (kind byte, flags uint16, payload []byte, err error) {
	for {
		var h [12]byte
		if _, err = io.ReadFull(c, h[:]); err != nil {
			return
		}
		kind, flags = h[1], binary.BigEndian.Uint16(h[2:])
		stream, length := binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		payload = nil
		if kind == data {
			payload = make([]byte, length)
			if _, err = io.ReadFull(c, payload); err != nil {
				return
			}
		}
		if kind == goAway {
			return
		}
		if kind == ping && flags&syn != 0 {
			c.Write(frame(ping, ack, 0, length))
		}
		if stream == want && kind != ping {
			return
		}
	}
}

// token is a multistream message.
func token(s string) []byte {
	return append([]byte{byte(len(s) + 1)}, s+"\n"...)
}

// pingOnce opens stream 1 by hand and sends 32 bytes around.
func pingOnce(c *conn) error {
	hello := append(append(token("/multistream/1.0.0"), token(pingID)...), make([]byte, 32)...)
	if _, err := c.Write(frame(data, syn, 1, uint32(len(hello)), hello...)); err != nil {
		return err
	}
	got := 0
	for got < len(hello) {
		kind, flags, payload, err := header(c, 1)
		if err != nil {
			return err
		}
		if kind == goAway || flags&rst != 0 {
			return fmt.Errorf("frame type %d, flags %d", kind, flags)
		}
		got += len(payload)
	}
	return nil
}

// handshakes connects n times at once, each with an identity of its own, and pings on every one.
func handshakes() map[string]any {
	want, errs := target(), map[string]int{}
	var mu sync.Mutex
	var connected, done sync.WaitGroup
	var slowest time.Duration
	conns := make([]net.Conn, 0, *n)
	connected.Add(*n)
	done.Add(*n)
	for range *n {
		go func() {
			defer done.Done()
			raw, err := dial()
			connected.Done()
			connected.Wait()
			start := time.Now()
			if err == nil {
				var c *conn
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				defer cancel()
				if c, err = secure(ctx, raw, want); err == nil {
					err = pingOnce(c)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, raw)
			if err != nil {
				errs[err.Error()]++
			}
			slowest = max(slowest, time.Since(start))
		}()
	}
	done.Wait()
	failed := 0
	for _, k := range errs {
		failed += k
	}
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	return map[string]any{"ok": *n - failed, "errors": errs, "slowest_ms": slowest.Milliseconds()}
}

// rapid makes n connections, 32 at a time, each secured, pinged once and closed.
func rapid() map[string]any {
	want, errs := target(), map[string]int{}
	var mu sync.Mutex
	var done sync.WaitGroup
	turns := make(chan struct{}, 32)
	start, ok := time.Now(), 0
	for range *n {
		done.Add(1)
		turns <- struct{}{}
		go func() {
			defer done.Done()
			defer func() { <-turns }()
			raw, err := dial()
			if err == nil {
				defer raw.Close()
				var c *conn
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				defer cancel()
				if c, err = secure(ctx, raw, want); err == nil {
					err = pingOnce(c)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[err.Error()]++
			} else {
				ok++
			}
		}()
	}
	done.Wait()
	return map[string]any{"ok": ok, "errors": errs, "a_second": int(float64(*n) / time.Since(start).Seconds())}
}

// truncated ends the connection after every possible number of handshake bytes.
func truncated() map[string]any {
	want, cuts := target(), 0
	for size := 0; ; size++ {
		raw, err := dial()
		check(err)
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		c, err := secure(ctx, &cutter{raw, size}, want)
		cancel()
		raw.Close()
		if err == nil {
			c.Close()
			return map[string]any{"cuts": cuts}
		}
		cuts++
		if cuts > 4000 {
			check(errors.New("the handshake never ends"))
		}
	}
}

// flipped sends a whole handshake with one bit of byte `at` turned over.
type flipper struct {
	net.Conn
	at, sent int
}

func (f *flipper) Write(p []byte) (int, error) {
	if f.sent <= f.at && f.at < f.sent+len(p) {
		p = append([]byte(nil), p...)
		p[f.at-f.sent] ^= 0x10
	}
	f.sent += len(p)
	return f.Conn.Write(p)
}

// flips turns one bit over in every byte of the handshake; none may end in a connection.
func flips() map[string]any {
	want, accepted := target(), []int{}
	flip := func(at int) (bool, bool) { // whether the byte was sent, and a connection came of it
		raw, err := dial()
		check(err)
		defer raw.Close()
		check(raw.SetDeadline(time.Now().Add(400 * time.Millisecond)))
		ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
		defer cancel()
		f := &flipper{Conn: raw, at: at}
		c, err := secure(ctx, f, want)
		if f.sent <= at && err == nil {
			return false, false
		}
		if err == nil { // the handshake took its own deadline away
			check(raw.SetDeadline(time.Now().Add(400 * time.Millisecond)))
		}
		return true, err == nil && pingOnce(c) == nil
	}
	const together = 64
	for first := 0; ; first += together {
		var sent, good [together]bool
		var wg sync.WaitGroup
		for k := range together {
			wg.Add(1)
			go func() {
				defer wg.Done()
				sent[k], good[k] = flip(first + k)
			}()
		}
		wg.Wait()
		for k := range together {
			if !sent[k] {
				return map[string]any{"flips": first + k, "accepted": accepted}
			}
			if good[k] {
				accepted = append(accepted, first+k)
			}
		}
	}
}

// afterwards tells how the other side took the bytes: "closed", "go away" or "open".
func afterwards(c *conn, within time.Duration) map[string]any {
	start := time.Now()
	check(c.raw.SetDeadline(start.Add(within)))
	told := ""
	for {
		kind, flags, _, err := header(c, 0xffffffff)
		var timedOut net.Error
		switch {
		case errors.As(err, &timedOut) && timedOut.Timeout():
			return map[string]any{"end": "open", "told": told}
		case err != nil:
			return map[string]any{"end": "closed", "told": told, "ms": time.Since(start).Milliseconds()}
		case kind == goAway:
			told = "go away"
		}
		_ = flags
	}
}

func write(c *conn, frames ...[]byte) {
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			return // closed already: what the cases are about
		}
	}
}

func yamuxCase(frames ...[]byte) map[string]any {
	c := open()
	defer c.raw.Close()
	check(pingOnce(c))
	write(c, frames...)
	return afterwards(c, time.Second)
}

// overrun sends more on a stream than its window allows, to a service `path` that does not read it.
func overrun() map[string]any {
	c := open()
	defer c.raw.Close()
	hello := append(token("/multistream/1.0.0"), token("/libp2p-http")...)
	hello = append(hello, "POST "+*path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"...)
	write(c, frame(data, syn, 1, uint32(len(hello)), hello...))
	block := make([]byte, 60000)
	for range 2000 { // 120 MB, never waiting for credit
		if _, err := c.Write(frame(data, 0, 1, uint32(len(block)), block...)); err != nil {
			return map[string]any{"end": "closed", "told": ""}
		}
	}
	return afterwards(c, 3*time.Second)
}

// slowToken negotiates a stream with a token that never ends.
func slowToken(size int) map[string]any {
	c := open()
	defer c.raw.Close()
	hello := binary.AppendUvarint(token("/multistream/1.0.0"), uint64(size))
	write(c, frame(data, syn, 1, uint32(len(hello)), hello...))
	check(c.raw.SetDeadline(time.Now().Add(3 * time.Second)))
	for {
		kind, flags, _, err := header(c, 1)
		if err != nil || kind == goAway {
			return map[string]any{"end": "closed"}
		}
		if flags&rst != 0 {
			return map[string]any{"end": "reset"}
		}
	}
}

// flood opens n streams without negotiating any, and pings nobody.
func flood() map[string]any {
	c := open()
	defer c.raw.Close()
	go func() {
		for i := range *n {
			if _, err := c.Write(frame(windowUpdate, syn, uint32(2*i+3), 0)); err != nil {
				return
			}
		}
	}()
	check(c.raw.SetDeadline(time.Now().Add(time.Second)))
	acked, refused := 0, 0
	for {
		var h [12]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return map[string]any{"acked": acked, "refused": refused}
		}
		flags, length := binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[8:])
		if h[1] == data {
			io.CopyN(io.Discard, c, int64(length))
		}
		if flags&ack != 0 {
			acked++
		}
		if flags&rst != 0 {
			refused++
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func main() {
	flag.Parse()
	open1 := frame(windowUpdate, syn, 3, 0)
	cases := map[string]func() map[string]any{
		"handshakes":      handshakes,
		"rapid":           rapid,
		"truncated":       truncated,
		"flips":           flips,
		"overrun":         overrun,
		"flood":           flood,
		"oversized-token": func() map[string]any { return slowToken(1 << 20) },
		"duplicate-syn":   func() map[string]any { return yamuxCase(open1, open1) },
		"syn-0":           func() map[string]any { return yamuxCase(frame(windowUpdate, syn, 0, 0)) },
		"syn-even":        func() map[string]any { return yamuxCase(frame(windowUpdate, syn, 4, 0)) },
		"bad-version":     func() map[string]any { return yamuxCase(append([]byte{9}, frame(ping, syn, 0, 7)[1:]...)) },
		"bad-type":        func() map[string]any { return yamuxCase(frame(7, 0, 0, 0)) },
		"huge-frame":      func() map[string]any { return yamuxCase(open1, frame(data, 0, 3, 0xffffffff)) },
		"window-overflow": func() map[string]any {
			return yamuxCase(open1, frame(windowUpdate, 0, 3, 0xffffffff), frame(windowUpdate, 0, 3, 0xffffffff))
		},
		"ping-flood": func() map[string]any {
			pings := make([][]byte, 20000)
			for i := range pings {
				pings[i] = frame(ping, syn, 0, uint32(i))
			}
			return yamuxCase(pings...)
		},
	}
	do, ok := cases[*name]
	if !ok {
		fmt.Fprintln(os.Stderr, "hostile: unknown case", *name)
		os.Exit(2)
	}
	check(json.NewEncoder(os.Stdout).Encode(do()))
}
