package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-msgio/pbio"
	ma "github.com/multiformats/go-multiaddr"
)

// testPeer is a libp2p host with the test protocols, and what it counts as responder.
type testPeer struct {
	h       host.Host
	version string
	agent   string
	n       counters
	oneEcho sync.Mutex
	fault   string // what is broken on purpose; see selftest.py
}

func newPeer(keyFile, listen, security string, window uint32) (*testPeer, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	p := &testPeer{version: libraryVersion()}
	p.agent = "ocf-interop-go/" + p.version
	muxer := *yamux.DefaultTransport
	if window != 0 {
		muxer.InitialStreamWindowSize = window
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(listen),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Muxer(yamux.ID, &muxer),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.UserAgent(p.agent),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}
	for _, name := range strings.Split(security, ",") {
		switch name {
		case "noise":
			opts = append(opts, libp2p.Security(noise.ID, noise.New))
		case "tls":
			opts = append(opts, libp2p.Security(libp2ptls.ID, libp2ptls.New))
		default:
			return nil, fmt.Errorf("unknown security protocol %q", name)
		}
	}
	if p.h, err = libp2p.New(opts...); err != nil {
		return nil, err
	}
	p.serveStreams()
	return p, p.serveHTTP()
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

func (p *testPeer) ready() answer {
	return answer{
		"ready": true, "impl": "go-libp2p", "version": p.version,
		"peer_id": p.h.ID().String(), "agent": p.agent, "addrs": texts(p.h.Network().ListenAddresses()),
	}
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// run carries out one command.
func (p *testPeer) run(req *request) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), req.timeout())
	defer cancel()
	switch req.Cmd {
	case "dial":
		return p.dial(ctx, req.Addr)
	case "push":
		return nil, p.push(req)
	case "counters":
		return p.n.read(req.Reset), nil
	case "quit":
		return nil, nil
	}
	id, err := peer.Decode(req.Peer)
	if err != nil {
		return nil, err
	}
	switch req.Cmd {
	case "wait_connected":
		return p.waitConnected(ctx, id)
	case "wait_gone":
		return waitUntil(ctx, func() bool { return len(p.h.Network().ConnsToPeer(id)) == 0 })
	case "disconnect":
		return nil, p.h.Network().ClosePeer(id)
	case "ping":
		return p.ping(ctx, id, req.N)
	case "identify":
		return p.identify(ctx, id)
	case "wait_protocol":
		return waitUntil(ctx, func() bool { return p.knows(id, req.Protocol) != req.Absent })
	case "streams":
		return p.streams(ctx, id, req.N, req.Concurrency, req.Bytes)
	case "bulk":
		return p.bulk(ctx, id, req.Dir, req.Bytes)
	case "halfclose":
		return p.halfclose(ctx, id, req.Mode, req.Bytes)
	case "reset":
		return p.reset(ctx, id, req.Mode)
	case "http":
		return p.http(ctx, id, req)
	case "cancel":
		return p.cancel(ctx, id, req.Events, req.DelayMS)
	}
	return nil, fmt.Errorf("unknown command %q", req.Cmd)
}

// waitUntil polls a condition that costs next to nothing to evaluate.
func waitUntil(ctx context.Context, done func() bool) (answer, error) {
	start := time.Now()
	for !done() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return answer{"ms": time.Since(start).Milliseconds()}, nil
}

func (p *testPeer) dial(ctx context.Context, addr string) (answer, error) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, err
	}
	if err := p.h.Connect(ctx, *info); err != nil {
		return nil, err
	}
	return p.waitConnected(ctx, info.ID)
}

// waitConnected ends when a connection exists and our identify of the peer has ended on it.
func (p *testPeer) waitConnected(ctx context.Context, id peer.ID) (answer, error) {
	conns := func() []network.Conn { return p.h.Network().ConnsToPeer(id) }
	if _, err := waitUntil(ctx, func() bool { return len(conns()) > 0 }); err != nil {
		return nil, err
	}
	all := conns()
	if len(all) == 0 {
		return nil, errors.New("the connection was closed at once")
	}
	ids := p.h.(interface{ IDService() identify.IDService }).IDService()
	select {
	case <-ids.IdentifyWait(all[0]):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if agent, err := p.h.Peerstore().Get(id, "AgentVersion"); err != nil || agent == "" {
		return nil, fmt.Errorf("identify failed: %v", err)
	}
	state := all[0].ConnState()
	return answer{"peer": id.String(), "security": state.Security, "muxer": state.StreamMultiplexer}, nil
}

func (p *testPeer) ping(ctx context.Context, id peer.ID, n int) (answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var least, most, sum time.Duration
	results := ping.Ping(ctx, p.h, id)
	for i := 0; i < n; i++ {
		res, open := <-results
		if !open {
			return nil, fmt.Errorf("ping %d: the stream ended", i)
		}
		if res.Error != nil {
			return nil, fmt.Errorf("ping %d: %w", i, res.Error)
		}
		if i == 0 || res.RTT < least {
			least = res.RTT
		}
		most, sum = max(most, res.RTT), sum+res.RTT
	}
	avg := sum / time.Duration(max(n, 1))
	return answer{"n": n, "min_us": least.Microseconds(), "avg_us": avg.Microseconds(), "max_us": most.Microseconds()}, nil
}

// identify asks on a new stream, and reads the answer itself, so that the whole message is seen.
func (p *testPeer) identify(ctx context.Context, id peer.ID) (answer, error) {
	s, err := p.open(ctx, id, identify.ID)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	var msg pb.Identify
	for r := pbio.NewDelimitedReader(s, 8192); ; {
		var part pb.Identify
		if err := r.ReadMsg(&part); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			s.Reset()
			return nil, err
		}
		mergeIdentify(&msg, &part)
	}
	key, err := crypto.UnmarshalPublicKey(msg.GetPublicKey())
	if err != nil {
		return nil, err
	}
	from, err := peer.IDFromPublicKey(key)
	if err != nil {
		return nil, err
	}
	addrs := []string{}
	for _, raw := range msg.GetListenAddrs() {
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a.String())
	}
	observed := ""
	if raw := msg.GetObservedAddr(); len(raw) > 0 {
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil {
			return nil, err
		}
		observed = a.String()
	}
	return answer{
		"peer_id": from.String(), "agent": msg.GetAgentVersion(), "protocol_version": msg.GetProtocolVersion(),
		"protocols": append([]string{}, msg.GetProtocols()...), "addrs": addrs, "observed": observed,
		"signed_record": signedRecordIsGood(msg.GetSignedPeerRecord(), from),
	}, nil
}

// mergeIdentify adds one part of an identify message to the whole: lists grow, other fields are replaced.
func mergeIdentify(to, part *pb.Identify) {
	to.Protocols = append(to.Protocols, part.Protocols...)
	to.ListenAddrs = append(to.ListenAddrs, part.ListenAddrs...)
	if part.PublicKey != nil {
		to.PublicKey = part.PublicKey
	}
	if part.ObservedAddr != nil {
		to.ObservedAddr = part.ObservedAddr
	}
	if part.ProtocolVersion != nil {
		to.ProtocolVersion = part.ProtocolVersion
	}
	if part.AgentVersion != nil {
		to.AgentVersion = part.AgentVersion
	}
	if part.SignedPeerRecord != nil {
		to.SignedPeerRecord = part.SignedPeerRecord
	}
}

func signedRecordIsGood(raw []byte, from peer.ID) bool {
	env, rec, err := record.ConsumeEnvelope(raw, peer.PeerRecordEnvelopeDomain)
	if err != nil {
		return false
	}
	body, ok := rec.(*peer.PeerRecord)
	return ok && body.PeerID == from && from.MatchesPublicKey(env.PublicKey)
}

// push changes the protocol set; the identify service pushes by itself.
func (p *testPeer) push(req *request) error {
	switch {
	case p.fault == "push-nothing":
	case req.Add != "":
		p.h.SetStreamHandler(protocol.ID(req.Add), func(s network.Stream) { s.Reset() })
	case req.Remove != "":
		p.h.RemoveStreamHandler(protocol.ID(req.Remove))
	default:
		return errors.New("push needs add or remove")
	}
	return nil
}

func (p *testPeer) knows(id peer.ID, proto string) bool {
	known, err := p.h.Peerstore().GetProtocols(id)
	return err == nil && slices.Contains(known, protocol.ID(proto))
}

// open opens a stream whose deadline is that of the command.
func (p *testPeer) open(ctx context.Context, id peer.ID, proto protocol.ID) (network.Stream, error) {
	s, err := p.h.NewStream(network.WithNoDial(ctx, "the runner dials"), id, proto)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := s.SetDeadline(end); err != nil {
			s.Reset()
			return nil, err
		}
	}
	return s, nil
}
