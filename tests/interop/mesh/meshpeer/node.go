package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	ipfslite "github.com/hsanjuan/ipfs-lite"
	"github.com/ipfs/go-datastore"
	crdt "github.com/ipfs/go-ds-crdt"
	leveldb "github.com/ipfs/go-ds-leveldb"
	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/dual"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	headsTopic = "ocf-crdt"
	pingTopic  = "ocf-crdt-net"
	namespace  = "/ocf-crdt"
)

// config is what the command line says.
type config struct {
	keyFile, httpAddr, store, profile, announce, publicAddr, role string
	rawHTTP                                                       string
	fault                                                         string // what is broken on purpose; see selftest.py
	listen, bootstrap, services, logLevels                        list
	dht, noServe                                                  bool
	dagTimeout, rebroadcast, joinDelay                            time.Duration
	pingEvery, checkEvery, redial                                 time.Duration
	workers                                                       int
}

// node is one member of the mesh.
type node struct {
	cfg      config
	version  string // of go-libp2p
	ctx      context.Context
	cancel   context.CancelFunc
	h        host.Host
	bw       *metrics.BandwidthCounter
	ps       *pubsub.PubSub
	trace    *tracer
	heads    *broadcaster
	pings    *pubsub.Topic
	ds       datastore.Batching
	lite     *ipfslite.Peer
	store    *crdt.Datastore
	seen     *sightings
	table    *table
	pool     http.RoundTripper // to other peers
	web      net.Listener
	hadStore bool
	joined   atomic.Bool // the store can be written
}

func newNode(cfg config) (*node, error) {
	n := &node{cfg: cfg, version: libraryVersion(), bw: metrics.NewBandwidthCounter()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.setProfile(); err != nil {
		return nil, err
	}
	for _, item := range cfg.logLevels {
		name, level, _ := strings.Cut(item, "=")
		logging.Logger(name) // some are made later, and cannot be set before
		if err := logging.SetLogLevel(name, level); err != nil {
			return nil, err
		}
	}
	key, err := readKey(cfg.keyFile)
	if err != nil {
		return nil, err
	}
	ddht, err := n.listen(key)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(cfg.store)
	n.hadStore = cfg.store != "" && err == nil
	if n.ds, err = leveldb.NewDatastore(cfg.store, nil); err != nil {
		return nil, fmt.Errorf("datastore %q: %w", cfg.store, err)
	}
	if n.table, err = newTable(n); err != nil {
		return nil, err
	}
	n.h.Network().Notify(n.table.notifiee())
	if err := n.serveHTTP(); err != nil {
		return nil, err
	}
	// OpenTela connects before it joins the topics, OCF after.
	if !n.isOCF() {
		go n.keepConnected()
		time.Sleep(cfg.joinDelay)
	}
	if err := n.join(ddht); err != nil {
		return nil, err
	}
	if n.isOCF() {
		go n.keepConnected()
	}
	go n.checkPeers()
	if n.cfg.announce != "never" {
		err = n.announce()
	}
	return n, err
}

// setProfile fills what the command line leaves to the profile.
func (n *node) setProfile() error {
	if n.cfg.profile == "" {
		n.cfg.profile = "opentela"
		if strings.HasPrefix(n.version, "v0.37.") {
			n.cfg.profile = "ocf"
		}
	}
	switch n.cfg.profile {
	case "ocf", "opentela":
	default:
		return fmt.Errorf("unknown profile %q", n.cfg.profile)
	}
	if n.cfg.announce == "" {
		n.cfg.announce = "services"
		if n.isOCF() {
			n.cfg.announce = "connect"
		}
	}
	return nil
}

func (n *node) isOCF() bool { return n.cfg.profile == "ocf" }

// listen makes the libp2p host, and the DHT where it is wanted.
func (n *node) listen(key crypto.PrivKey) (routing.Routing, error) {
	muxer := *yamux.DefaultTransport
	var limits network.ResourceManager = &network.NullResourceManager{}
	if !n.isOCF() {
		muxer.InitialStreamWindowSize = 8 << 20
		muxer.MaxIncomingStreams = math.MaxUint32
		var err error
		if limits, err = rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits)); err != nil {
			return nil, err
		}
	}
	var router routing.Routing = noRouting{}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(n.cfg.listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, &muxer),
		libp2p.ResourceManager(limits),
		libp2p.BandwidthReporter(n.bw),
		libp2p.UserAgent("ocf-meshpeer/" + n.version),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}
	if n.cfg.dht {
		opts = append(opts, libp2p.Routing(func(h host.Host) (routing.PeerRouting, error) {
			d, err := dual.New(n.ctx, h, dual.DHTOption(dht.Concurrency(512), dht.Mode(dht.ModeAuto)))
			router = d
			return d, err
		}))
	}
	h, err := libp2p.New(opts...)
	n.h = h
	return router, err
}

// ownFault is the fault of this life: some break only a node that has lived before.
func (n *node) ownFault() string {
	fault, again := strings.CutPrefix(n.cfg.fault, "again-")
	if again && !n.hadStore {
		return ""
	}
	return fault
}

// join starts gossip, bitswap and the CRDT.
func (n *node) join(router routing.Routing) (err error) {
	n.trace = newTracer()
	n.ps, err = pubsub.NewGossipSub(n.ctx, n.h, pubsub.WithGossipSubParams(n.gossipParams()),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign), pubsub.WithRawTracer(n.trace))
	if err != nil {
		return err
	}
	if n.heads, err = newBroadcaster(n.ctx, n.ps, n.ownFault()); err != nil {
		return err
	}
	if err := n.startPings(); err != nil {
		return err
	}
	if n.lite, err = ipfslite.New(n.ctx, n.ds, nil, n.h, router, n.liteConfig()); err != nil {
		return err
	}
	if n.cfg.noServe {
		for _, proto := range []protocol.ID{"/ipfs/bitswap/1.2.0", "/ipfs/bitswap/1.1.0", "/ipfs/bitswap/1.0.0", "/ipfs/bitswap"} {
			n.h.RemoveStreamHandler(proto)
		}
	}
	opts := crdt.DefaultOptions()
	opts.RebroadcastInterval = n.cfg.rebroadcast
	opts.DAGSyncerTimeout = n.cfg.dagTimeout
	opts.NumWorkers = n.cfg.workers
	opts.MultiHeadProcessing = !n.isOCF()
	n.seen = newSightings()
	opts.PutHook = func(k datastore.Key, v []byte) {
		n.seen.put(k.String(), v)
		n.table.put(k.String(), v)
	}
	opts.DeleteHook = func(k datastore.Key) {
		n.seen.deleted()
		n.table.drop(k.String())
	}
	if n.store, err = crdt.New(n.ds, datastore.NewKey(namespace), n.lite, n.heads, opts); err != nil {
		return err
	}
	n.joined.Store(true)
	return n.loadTable()
}

// liteConfig turns the reprovider off where there is no DHT to provide to.
func (n *node) liteConfig() *ipfslite.Config {
	cfg := &ipfslite.Config{}
	if !n.cfg.dht {
		cfg.ReprovideInterval = -1
	}
	return cfg
}

func (n *node) gossipParams() pubsub.GossipSubParams {
	params := pubsub.DefaultGossipSubParams()
	if n.isOCF() {
		params.D, params.Dlo, params.Dhi = 128, 16, 256
	}
	return params
}

// startPings publishes and hears the liveness pings.
func (n *node) startPings() (err error) {
	if n.pings, err = n.ps.Join(pingTopic); err != nil {
		return err
	}
	sub, err := n.pings.Subscribe()
	if err != nil {
		return err
	}
	go func() {
		for {
			msg, err := sub.Next(n.ctx)
			if err != nil {
				return
			}
			if msg.ReceivedFrom != n.h.ID() {
				n.table.heard(msg.ReceivedFrom, msg.GetFrom())
			}
		}
	}()
	go func() {
		for tick := time.NewTicker(n.cfg.pingEvery); ; {
			select {
			case <-n.ctx.Done():
				return
			case <-tick.C:
			}
			if err := n.pings.Publish(n.ctx, []byte("ping")); err != nil {
				log.Printf("ping: %v", err)
			}
		}
	}()
	return nil
}

// keepConnected dials the bootstrap peers, and again whenever one is lost.
func (n *node) keepConnected() {
	for _, source := range n.cfg.bootstrap {
		go func() {
			wait := 200 * time.Millisecond
			for n.ctx.Err() == nil {
				peers, err := resolve(n.ctx, source)
				for _, info := range peers {
					if info.ID == n.h.ID() || n.h.Network().Connectedness(info.ID) == network.Connected {
						continue
					}
					err = errors.Join(err, n.dial(info))
				}
				if err == nil {
					wait = 200 * time.Millisecond
				} else {
					log.Printf("bootstrap %s: %v", source, err)
					wait = min(2*wait, n.cfg.redial)
				}
				time.Sleep(wait)
			}
		}()
	}
}

func (n *node) dial(info peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(network.WithForceDirectDial(n.ctx, "bootstrap"), 5*time.Second)
	defer cancel()
	return n.h.Connect(ctx, info)
}

// resolve gives the peers of one bootstrap source.
func resolve(ctx context.Context, source string) ([]peer.AddrInfo, error) {
	texts := []string{source}
	if strings.HasPrefix(source, "http") {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", source, nil)
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		var body struct {
			Bootstraps []string `json:"bootstraps"`
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body); err != nil {
			return nil, err
		}
		texts = body.Bootstraps
	}
	var all []ma.Multiaddr
	for _, text := range texts {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, err
		}
		all = append(all, addr)
	}
	return peer.AddrInfosFromP2pAddrs(all...)
}

// checkPeers dials (OCF) or pings (OpenTela) the known peers from time to time.
func (n *node) checkPeers() {
	for tick := time.NewTicker(n.cfg.checkEvery); ; {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		for _, id := range n.h.Peerstore().Peers() {
			if id == n.h.ID() || !n.table.has(id) {
				continue
			}
			ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
			if n.isOCF() {
				if n.h.Network().Connectedness(id) != network.Connected {
					n.h.Connect(ctx, peer.AddrInfo{ID: id})
				}
			} else {
				res, open := <-ping.Ping(ctx, n.h, id)
				n.table.checked(id, open && res.Error == nil)
			}
			cancel()
		}
	}
}

// close ends the node; with leave it says goodbye to the mesh first.
func (n *node) close(leave bool) {
	if leave {
		if err := n.leave(); err != nil {
			log.Printf("leave: %v", err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	n.cancel()
	n.web.Close()
	if err := n.store.Close(); err != nil {
		log.Printf("store: %v", err)
	}
	n.h.Close()
	n.ds.Close()
}

func (n *node) ready() answer {
	return answer{
		"ready": true, "impl": "meshpeer", "version": n.version, "profile": n.cfg.profile, "peer_id": n.h.ID().String(),
		"agent": "ocf-meshpeer/" + n.version, "addrs": texts(n.h.Network().ListenAddresses()), "http": n.web.Addr().String(),
	}
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// libraryVersion is the version of go-libp2p that this program was built with.
func libraryVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/libp2p/go-libp2p" {
			return dep.Version
		}
	}
	return "unknown"
}

func writeKey(kind, file string) error {
	code, bits := crypto.Ed25519, 0
	if kind == "rsa" {
		code, bits = crypto.RSA, 2048
	}
	key, _, err := crypto.GenerateKeyPairWithReader(code, bits, rand.Reader)
	if err != nil {
		return err
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

func readKey(file string) (crypto.PrivKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return crypto.UnmarshalPrivateKey(raw)
}
