package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	gostream "github.com/libp2p/go-libp2p-gostream"
	p2phttp "github.com/libp2p/go-libp2p-http"
	"github.com/libp2p/go-libp2p/core/peer"
)

const requestMax = 15 * time.Minute

// serveHTTP serves the same routes on a TCP port and on /libp2p-http, as the running network does.
func (n *node) serveHTTP() (err error) {
	if n.web, err = net.Listen("tcp", n.cfg.httpAddr); err != nil {
		return err
	}
	streams, err := gostream.Listen(n.h, p2phttp.DefaultP2PProtocol)
	if err != nil {
		return err
	}
	n.pool = n.peerTransport()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, answer{"status": "ok"}) })
	mux.HandleFunc("GET /v1/dnt/table", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, n.table.view(r.URL.Query().Has("all")))
	})
	mux.HandleFunc("GET /v1/dnt/peers", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, n.peers()) })
	mux.HandleFunc("GET /v1/dnt/bootstraps", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, answer{"bootstraps": n.bootstraps()})
	})
	mux.HandleFunc("GET /v1/dnt/stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, answer{
			"connected_peers": len(n.h.Network().Peers()), "total_peers_known": len(n.h.Peerstore().Peers()),
		})
	})
	mux.HandleFunc("GET /v1/self", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, n.table.view(false)["/"+n.h.ID().String()])
	})
	mux.HandleFunc("POST /v1/dnt/_node", n.postNode)
	mux.HandleFunc("DELETE /v1/dnt/_node", n.deleteNode)
	mux.HandleFunc("/v1/p2p/{peer}/{path...}", n.toPeer)
	mux.HandleFunc("/v1/_service/{service}/{path...}", n.toLocal)
	mux.HandleFunc("/v1/service/{service}/{path...}", n.toService)
	if n.cfg.rawHTTP != "" {
		n.carryHTTP(n.cfg.rawHTTP)
	}
	for _, l := range []net.Listener{n.web, streams} {
		go func() {
			if err := http.Serve(l, mux); n.ctx.Err() == nil {
				log.Printf("http: %v", err)
			}
		}()
	}
	return nil
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(body)
}

func writeError(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer{"error": text})
}

// peers lists the connected libp2p peers in the form of /v1/dnt/peers.
func (n *node) peers() answer {
	list := []answer{}
	for _, id := range n.h.Network().Peers() {
		list = append(list, answer{"ID": id.String(), "Addrs": texts(n.h.Peerstore().Addrs(id))})
	}
	return answer{"peers": list}
}

func (n *node) postNode(w http.ResponseWriter, r *http.Request) {
	var change record
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&change); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := n.adopt(change); err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
	}
}

func (n *node) deleteNode(w http.ResponseWriter, _ *http.Request) {
	if n.cfg.fault == "stays" {
		return
	}
	if err := n.leave(); err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
	}
}

// peerTransport carries requests to peers: a stream each as in OCF, or a pool of streams as in OpenTela.
func (n *node) peerTransport() http.RoundTripper {
	if n.isOCF() {
		t := &http.Transport{ResponseHeaderTimeout: 10 * time.Minute}
		t.RegisterProtocol("libp2p", p2phttp.NewTransport(n.h))
		return t
	}
	return &http.Transport{
		MaxIdleConns: 1024, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
		ResponseHeaderTimeout: 10 * time.Minute,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			id, err := peer.Decode(host)
			if err != nil {
				return nil, err
			}
			return gostream.Dial(ctx, n.h, id, p2phttp.DefaultP2PProtocol)
		},
	}
}

func (n *node) peerURL(id, path, query string) *url.URL {
	scheme := "http"
	if n.isOCF() {
		scheme = "libp2p"
	}
	return &url.URL{Scheme: scheme, Host: id, Path: path, RawQuery: query}
}

// forward proxies a request; failed, when the target gave no answer, writes one or has another try.
func (n *node) forward(w http.ResponseWriter, r *http.Request, to *url.URL, t http.RoundTripper, header http.Header,
	failed func(error)) {
	ctx, cancel := context.WithTimeout(r.Context(), requestMax)
	defer cancel()
	proxy := &httputil.ReverseProxy{
		Transport:     t,
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = to
			p.Out.Host = to.Host
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			p.SetXForwarded()
			p.Out.Header.Del("X-Forwarded-Host")
			p.Out.Header.Del("X-Forwarded-Proto")
		},
		ModifyResponse: func(res *http.Response) error {
			for name, values := range header {
				res.Header[name] = values
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed(err) },
		ErrorLog:     log.Default(),
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

func (n *node) toPeer(w http.ResponseWriter, r *http.Request) {
	to := n.peerURL(r.PathValue("peer"), "/"+r.PathValue("path"), r.URL.RawQuery)
	n.forward(w, r, to, n.pool, nil, func(err error) {
		http.Error(w, "ERROR: "+err.Error(), http.StatusBadGateway)
	})
}

func (n *node) toLocal(w http.ResponseWriter, r *http.Request) {
	s, found := n.table.local(r.PathValue("service"))
	if !found {
		writeError(w, http.StatusBadRequest, "Service not found")
		return
	}
	to := &url.URL{
		Scheme: "http", Host: net.JoinHostPort(s.Host, s.Port), Path: "/" + r.PathValue("path"), RawQuery: r.URL.RawQuery,
	}
	n.forward(w, r, to, http.DefaultTransport, nil, func(err error) {
		log.Printf("service %s: %v", s.Name, err)
		w.WriteHeader(http.StatusBadGateway)
	})
}

// toService routes by service name and identity group.
func (n *node) toService(w http.ResponseWriter, r *http.Request) {
	service := r.PathValue("service")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	providers := n.table.providers(service)
	if len(providers) == 0 {
		writeError(w, http.StatusBadRequest, "no providers found")
		return
	}
	candidates := n.match(providers, service, body, r.Header)
	if n.cfg.fault == "any-worker" {
		candidates = []string{providers[0].ID, providers[len(providers)-1].ID}
		if fits := n.match(providers, service, body, r.Header); len(fits) > 0 && fits[0] == candidates[0] {
			candidates = candidates[1:]
		}
	}
	if len(candidates) == 0 {
		writeError(w, http.StatusServiceUnavailable, "No provider found for the requested service.")
		return
	}
	n.tryEach(w, r, service, body, candidates)
}

// tryEach sends the request to one candidate; OpenTela goes on to up to three others while nobody answered.
func (n *node) tryEach(w http.ResponseWriter, r *http.Request, service string, body []byte, candidates []string) {
	path := "/v1/_service/" + service + "/" + r.PathValue("path")
	attempts := 1
	if !n.isOCF() {
		attempts = min(4, len(candidates))
	}
	var last error
	for _, id := range candidates[:attempts] {
		failed := false
		r.Body = io.NopCloser(bytes.NewReader(body))
		header := http.Header{"X-Computing-Node": {id}}
		n.forward(w, r, n.peerURL(id, path, r.URL.RawQuery), n.pool, header, func(err error) {
			failed, last = true, err
		})
		if !failed {
			return
		}
		log.Printf("service %s at %s: %v", service, id, last)
	}
	http.Error(w, fmt.Sprintf("all workers unreachable for service %s: %v", service, last), http.StatusBadGateway)
}

// request sends one HTTP request through our own transport, for the control protocol.
func (n *node) request(ctx context.Context, req *request) (answer, error) {
	method := req.Method
	if method == "" {
		method = "GET"
	}
	path, query, _ := strings.Cut(req.Path, "?")
	to := n.peerURL(req.Peer, path, query)
	out, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(req.Body))
	if err != nil {
		return nil, err
	}
	out.Host = req.Peer
	res, err := (&http.Client{Transport: n.pool}).Do(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return answer{"status": res.StatusCode, "body": string(body), "computing_node": res.Header.Get("X-Computing-Node")}, nil
}
