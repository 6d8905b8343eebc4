// The Go peer of the mixed mesh: a small model of a node of the running network, on the published modules,
// behind the control protocol of ../README.md.
//
// One source, two builds: go.mod pins the libraries of OpenTela, go37.mod those of OCF.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// request is the union of the members of all requests.
type request struct {
	ID        int64  `json:"id"`
	Cmd       string `json:"cmd"`
	Addr      string `json:"addr"`
	Peer      string `json:"peer"`
	Key       string `json:"key"`
	Value     string `json:"value"`
	SHA256    string `json:"sha256"`
	Contains  string `json:"contains"`
	Prefix    string `json:"prefix"`
	From      string `json:"from"`
	Mode      string `json:"mode"`
	Topic     string `json:"topic"`
	Protocol  string `json:"protocol"`
	Name      string `json:"name"`
	Port      string `json:"port"`
	Groups    string `json:"groups"`
	Links     string `json:"links"`
	Tombstone string `json:"tombstone"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Body      string `json:"body"`
	Priority  uint64 `json:"priority"`
	N         int    `json:"n"`
	Bytes     int    `json:"bytes"`
	Limit     int    `json:"limit"`
	GapMS     int    `json:"gap_ms"`
	TimeoutMS int    `json:"timeout_ms"`
	Absent    bool   `json:"absent"`
	Ever      bool   `json:"ever"`
	Quiet     bool   `json:"quiet"`
	Leave     bool   `json:"leave"`
}

// timeout is the time that a command may take.
func (r *request) timeout() time.Duration {
	switch {
	case r.TimeoutMS > 0:
		return time.Duration(r.TimeoutMS) * time.Millisecond
	case r.Cmd == "bulk_put":
		return 600 * time.Second
	default:
		return 30 * time.Second
	}
}

// answer holds the members of an answer besides id and ok.
type answer map[string]any

// list is a flag that may be given several times, or hold several values between commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	for _, item := range strings.Split(text, ",") {
		if item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

func flags() (cfg config, makeKey string) {
	flag.StringVar(&cfg.keyFile, "key-file", "", "file with a libp2p PrivateKey protobuf")
	flag.StringVar(&makeKey, "make-key", "", "rsa or ed25519: write a new key to -key-file and exit")
	flag.Var(&cfg.listen, "listen", "multiaddr to listen on (default /ip4/127.0.0.1/tcp/0)")
	flag.StringVar(&cfg.httpAddr, "http", "127.0.0.1:0", "address of the HTTP API")
	flag.Var(&cfg.bootstrap, "bootstrap", "multiaddr with /p2p/<id>, or URL of a list of them; kept connected")
	flag.StringVar(&cfg.rawHTTP, "raw-http", "", "TCP address that gets the raw bytes of each /libp2p-http stream; no HTTP of our own there")
	flag.StringVar(&cfg.store, "store", "", "folder of the datastore; empty: in memory, as with cleanslate")
	flag.StringVar(&cfg.profile, "profile", "", "ocf or opentela; default: by the version of go-libp2p")
	flag.StringVar(&cfg.announce, "announce", "", "when to write the own record: never, start, services or connect; default: by profile")
	flag.Var(&cfg.services, "service", "NAME:PORT[:GROUP[;GROUP]...], a service on localhost")
	flag.StringVar(&cfg.publicAddr, "public-addr", "", "public_address of the own record")
	flag.StringVar(&cfg.role, "role", "", "role of the own record (opentela)")
	flag.BoolVar(&cfg.dht, "dht", false, "run the dual DHT on the prefixes of the running network")
	flag.BoolVar(&cfg.noServe, "no-serve", false, "serve no bitswap: what this peer announces cannot be fetched from it")
	flag.DurationVar(&cfg.dagTimeout, "dag-timeout", 30*time.Second, "DAGSyncerTimeout (OCF: 5m)")
	flag.DurationVar(&cfg.rebroadcast, "rebroadcast", 5*time.Second, "RebroadcastInterval")
	flag.DurationVar(&cfg.joinDelay, "join-delay", 0, "wait between connecting and joining the topics (OpenTela: 3s)")
	flag.DurationVar(&cfg.pingEvery, "ping", 20*time.Second, "interval of the gossip pings")
	flag.DurationVar(&cfg.checkEvery, "check", 30*time.Second, "interval of the checks of known peers")
	flag.DurationVar(&cfg.redial, "redial", 5*time.Second, "longest wait before a lost bootstrap is dialled again")
	flag.StringVar(&cfg.fault, "fault", "", "break one thing, to see the runner notice: a name of selftest.py")
	flag.IntVar(&cfg.workers, "workers", 5, "NumWorkers of the CRDT")
	flag.Var(&cfg.logLevels, "log", "SUBSYSTEM=LEVEL of a library's log, such as crdt=debug")
	flag.Parse()
	if len(cfg.listen) == 0 {
		cfg.listen = list{"/ip4/127.0.0.1/tcp/0"}
	}
	return cfg, makeKey
}

func main() {
	log.SetOutput(os.Stderr)
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	cfg, makeKey := flags()
	if makeKey != "" {
		must(writeKey(makeKey, cfg.keyFile))
		return
	}
	n, err := newNode(cfg)
	must(err)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stop
		n.close(true)
		os.Exit(0)
	}()
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(n.ready()))
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		var req request
		if err := json.Unmarshal(in.Bytes(), &req); err != nil {
			must(fmt.Errorf("bad request %.200q: %w", in.Text(), err))
		}
		if req.Cmd == "quit" {
			n.close(req.Leave)
			must(out.Encode(answer{"id": req.ID, "ok": true}))
			return
		}
		must(out.Encode(reply(n, &req)))
	}
	n.close(false)
}

// reply runs one command and gives it the form of an answer.
func reply(n *node, req *request) answer {
	ans, err := n.run(req)
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
		log.Print(err)
		os.Exit(1)
	}
}
