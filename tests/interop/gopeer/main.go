// The Go peer of the interoperability tests: go-libp2p behind the control protocol of ../README.md.
//
// One source, two builds: go.mod pins go-libp2p 0.47, `go build -modfile=go37.mod` builds on 0.37.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

// request is the union of the members of all requests.
type request struct {
	ID          int64  `json:"id"`
	Cmd         string `json:"cmd"`
	Addr        string `json:"addr"`
	Peer        string `json:"peer"`
	Protocol    string `json:"protocol"`
	Add         string `json:"add"`
	Remove      string `json:"remove"`
	Dir         string `json:"dir"`
	Mode        string `json:"mode"`
	Op          string `json:"op"`
	N           int    `json:"n"`
	Concurrency int    `json:"concurrency"`
	Bytes       int64  `json:"bytes"`
	Events      int    `json:"events"`
	DelayMS     int    `json:"delay_ms"`
	TimeoutMS   int    `json:"timeout_ms"`
	Absent      bool   `json:"absent"`
	Chunked     bool   `json:"chunked"`
	Reset       bool   `json:"reset"`
}

// timeout is the time that a command may take.
func (r *request) timeout() time.Duration {
	switch {
	case r.TimeoutMS > 0:
		return time.Duration(r.TimeoutMS) * time.Millisecond
	case r.Cmd == "bulk":
		return 600 * time.Second
	default:
		return 30 * time.Second
	}
}

// answer holds the members of an answer besides id and ok.
type answer map[string]any

func main() {
	keyFile := flag.String("key-file", "", "file with a libp2p PrivateKey protobuf")
	makeKey := flag.String("make-key", "", "rsa or ed25519: write a new key to -key-file and exit")
	listen := flag.String("listen", "/ip4/127.0.0.1/tcp/0", "multiaddr to listen on")
	security := flag.String("security", "noise", "security protocols in the order they are proposed")
	window := flag.Uint("yamux-window", 0, "initial yamux stream window, 0 = the library's")
	fault := flag.String("fault", "", "break one thing, to see the runner notice: a name of selftest.py")
	flag.Parse()
	log.SetOutput(os.Stderr)
	log.SetFlags(log.Ltime | log.Lmicroseconds)

	if *makeKey != "" {
		if err := writeKey(*makeKey, *keyFile); err != nil {
			log.Fatal(err)
		}
		return
	}
	p, err := newPeer(*keyFile, *listen, *security, uint32(*window))
	if err != nil {
		log.Fatal(err)
	}
	p.fault = *fault
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(p.ready()))
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var req request
		if err := json.Unmarshal(in.Bytes(), &req); err != nil {
			log.Fatalf("bad request %q: %v", in.Text(), err)
		}
		must(out.Encode(reply(p, &req)))
		if req.Cmd == "quit" {
			return
		}
	}
}

// reply runs one command and gives it the form of an answer.
func reply(p *testPeer, req *request) answer {
	ans, err := p.run(req)
	if err != nil {
		log.Printf("%s: %v", req.Cmd, err)
		return answer{"id": req.ID, "ok": false, "error": err.Error()}
	}
	if ans == nil {
		ans = answer{}
	}
	ans["id"], ans["ok"] = req.ID, true
	return ans
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
