package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gostream "github.com/libp2p/go-libp2p-gostream"
	p2phttp "github.com/libp2p/go-libp2p-http"
	"github.com/libp2p/go-libp2p/core/peer"
)

const bodyMax = 4 << 20

// countingListener counts the streams that the HTTP server accepts.
type countingListener struct {
	net.Listener
	n *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

// serveHTTP serves the routes of ../README.md on /libp2p-http, as the Go network does.
func (p *testPeer) serveHTTP() error {
	l, err := gostream.Listen(p.h, p2phttp.DefaultP2PProtocol)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", p.serveHello)
	mux.HandleFunc("POST /echo", p.servePost)
	mux.HandleFunc("GET /sse", p.serveSSE)
	go func() { log.Print(http.Serve(countingListener{l, &p.n.httpStreams}, mux)) }()
	return nil
}

func hello(id peer.ID) string { return fmt.Sprintf("hello from %s\n", id) }

func (p *testPeer) serveHello(w http.ResponseWriter, r *http.Request) {
	p.n.httpRequests.Add(1)
	if p.fault == "http-close" {
		w.Header().Set("Connection", "close")
	}
	io.WriteString(p.tamper(w, "http-flip"), hello(p.h.ID()))
}

func (p *testPeer) servePost(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.n.httpRequests.Add(1)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func (p *testPeer) serveSSE(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	delay, _ := strconv.Atoi(r.URL.Query().Get("delay_ms"))
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(max(time.Duration(delay)*time.Millisecond, time.Microsecond))
	defer tick.Stop()
	for k := 0; k < n; k++ {
		_, err := fmt.Fprintf(w, "data: {\"i\":%d}\n\n", k)
		if err == nil && p.fault != "sse-held" {
			err = http.NewResponseController(w).Flush()
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			err = r.Context().Err()
		}
		if err != nil && p.fault != "cancel-unseen" {
			p.n.sseCancelled.Add(1)
			return
		}
	}
	p.n.httpRequests.Add(1)
	io.WriteString(w, "data: [DONE]\n\n")
}

func (p *testPeer) http(ctx context.Context, id peer.ID, req *request) (answer, error) {
	// The published transport: one stream per request, as OCF uses it.
	one := &http.Transport{}
	one.RegisterProtocol("libp2p", p2phttp.NewTransport(p.h))
	base := "libp2p://" + id.String()
	switch req.Op {
	case "get":
		return p.httpGet(ctx, one, base, id)
	case "post":
		return httpPost(ctx, one, base, req.Bytes, req.Chunked)
	case "sse":
		return httpSSE(ctx, one, fmt.Sprintf("%s/sse?n=%d&delay_ms=%d", base, req.N, req.DelayMS))
	case "keepalive":
		return p.httpKeepalive(ctx, id, req.N)
	}
	return nil, fmt.Errorf("unknown op %q", req.Op)
}

func (p *testPeer) httpGet(ctx context.Context, t http.RoundTripper, base string, id peer.ID) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/hello", nil)
	if err != nil {
		return nil, err
	}
	return exchange(t, req, []byte(hello(id)))
}

func httpPost(ctx context.Context, t http.RoundTripper, base string, n int64, chunked bool) (answer, error) {
	var body bytes.Buffer
	if err := writePattern(&body, 0, n); err != nil {
		return nil, err
	}
	want := bytes.Clone(body.Bytes())
	var from io.Reader = &body
	if chunked {
		from = struct{ io.Reader }{&body} // of unknown length to net/http
	}
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/echo", from)
	if err != nil {
		return nil, err
	}
	return exchange(t, req, want)
}

// exchange sends a request and compares the body of its answer.
func exchange(t http.RoundTripper, req *http.Request, want []byte) (answer, error) {
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyMax+1))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK || !bytes.Equal(body, want) {
		return nil, fmt.Errorf("status %d, %d bytes of %d or other ones", res.StatusCode, len(body), len(want))
	}
	return answer{"status": res.StatusCode, "bytes": len(body)}, nil
}

func httpSSE(ctx context.Context, t http.RoundTripper, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	events, done, first, last := 0, false, int64(0), int64(0)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == fmt.Sprintf(`data: {"i":%d}`, events):
			last = time.Since(start).Milliseconds()
			if events == 0 {
				first = last
			}
			events++
		case line == "data: [DONE]":
			done = true
		case line != "":
			return nil, fmt.Errorf("unexpected line %q", line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return answer{"status": res.StatusCode, "events": events, "done": done, "first_ms": first, "last_ms": last}, nil
}

// httpKeepalive sends n requests through net/http's connection pool over one stream, as OpenTela does.
func (p *testPeer) httpKeepalive(ctx context.Context, id peer.ID, n int) (answer, error) {
	streams := 0
	pool := &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			streams++
			return gostream.Dial(ctx, p.h, id, p2phttp.DefaultP2PProtocol)
		},
	}
	defer pool.CloseIdleConnections()
	for k := 0; k < n; k++ {
		var err error
		if k%2 == 0 {
			_, err = p.httpGet(ctx, pool, "http://peer", id)
		} else {
			_, err = httpPost(ctx, pool, "http://peer", 1024, false)
		}
		if err != nil {
			return nil, fmt.Errorf("request %d: %w", k, err)
		}
	}
	return answer{"n": n, "streams": streams}, nil
}

// cancel reads a few events of an endless answer and resets the stream.
func (p *testPeer) cancel(ctx context.Context, id peer.ID, events, delayMS int) (answer, error) {
	s, err := p.open(ctx, id, p2phttp.DefaultP2PProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	if _, err := fmt.Fprintf(s, "GET /sse?n=1000000&delay_ms=%d HTTP/1.1\r\nHost: %s\r\n\r\n", delayMS, id); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(s), nil)
	if err != nil {
		return nil, err
	}
	seen := 0
	for lines := bufio.NewScanner(res.Body); seen < events; {
		if !lines.Scan() {
			return nil, fmt.Errorf("the stream ended after %d events: %v", seen, lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data: ") {
			seen++
		}
	}
	return answer{"events": seen}, nil
}
