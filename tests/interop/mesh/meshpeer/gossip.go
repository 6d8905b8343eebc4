package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	crdt "github.com/ipfs/go-ds-crdt"
	"github.com/ipfs/go-ds-crdt/pb"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"google.golang.org/protobuf/proto"
)

// broadcaster carries the heads of the CRDT. It can be muted, so that a long history is made without a
// message per block.
type broadcaster struct {
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	muted  atomic.Bool
	sent   atomic.Int64
	gotten atomic.Int64
	fault  string
}

func newBroadcaster(ctx context.Context, ps *pubsub.PubSub, fault string) (*broadcaster, error) {
	topic, err := ps.Join(headsTopic)
	if err != nil {
		return nil, err
	}
	sub, err := topic.Subscribe()
	if err != nil {
		return nil, err
	}
	return &broadcaster{topic: topic, sub: sub, fault: fault}, nil
}

func (b *broadcaster) Broadcast(ctx context.Context, data []byte) error {
	if b.muted.Load() || b.fault == "mute" && b.sent.Load() > 2 {
		return nil
	}
	b.sent.Add(1)
	return b.topic.Publish(ctx, data)
}

func (b *broadcaster) Next(ctx context.Context) ([]byte, error) {
	msg, err := b.sub.Next(ctx)
	for err == nil && b.fault == "deaf" {
		msg, err = b.sub.Next(ctx)
	}
	if b.fault == "late" {
		time.Sleep(2 * time.Second)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, pubsub.ErrSubscriptionCancelled) {
		return nil, crdt.ErrNoMoreBroadcast
	}
	if err != nil {
		return nil, err
	}
	b.gotten.Add(1)
	return msg.GetData(), nil
}

// announceCIDs publishes a broadcast that names heads, whatever they are.
func (b *broadcaster) announceCIDs(ctx context.Context, cids ...cid.Cid) error {
	var msg pb.CRDTBroadcast
	for _, c := range cids {
		msg.Heads = append(msg.Heads, &pb.Head{Cid: c.Bytes()})
	}
	data, err := proto.Marshal(&msg)
	if err != nil {
		return err
	}
	return b.topic.Publish(ctx, data)
}

// tracer counts what gossipsub does and knows the mesh of each topic.
type tracer struct {
	mu     sync.Mutex
	mesh   map[string]map[peer.ID]bool
	counts map[string]int64
}

var _ pubsub.RawTracer = (*tracer)(nil)

func newTracer() *tracer {
	return &tracer{mesh: map[string]map[peer.ID]bool{}, counts: map[string]int64{}}
}

func (t *tracer) count(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name]++
}

func (t *tracer) Graft(p peer.ID, topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mesh[topic] == nil {
		t.mesh[topic] = map[peer.ID]bool{}
	}
	t.mesh[topic][p] = true
	t.counts["graft"]++
}

func (t *tracer) Prune(p peer.ID, topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mesh[topic], p)
	t.counts["prune"]++
}

func (t *tracer) RemovePeer(p peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, members := range t.mesh {
		delete(members, p)
	}
}

func (t *tracer) Leave(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mesh, topic)
}

func (t *tracer) RejectMessage(_ *pubsub.Message, reason string) { t.count("rejected: " + reason) }
func (t *tracer) AddPeer(peer.ID, protocol.ID)                   {}
func (t *tracer) Join(string)                                    {}
func (t *tracer) ValidateMessage(*pubsub.Message)                {}
func (t *tracer) DeliverMessage(*pubsub.Message)                 { t.count("delivered") }
func (t *tracer) DuplicateMessage(*pubsub.Message)               { t.count("duplicate") }
func (t *tracer) ThrottlePeer(peer.ID)                           { t.count("throttled") }
func (t *tracer) RecvRPC(*pubsub.RPC)                            { t.count("rpc_in") }
func (t *tracer) SendRPC(*pubsub.RPC, peer.ID)                   { t.count("rpc_out") }
func (t *tracer) DropRPC(*pubsub.RPC, peer.ID)                   { t.count("rpc_dropped") }
func (t *tracer) UndeliverableMessage(*pubsub.Message)           { t.count("undeliverable") }

func (t *tracer) inMesh(p peer.ID, topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mesh[topic][p]
}

// report gives the counts, and the members of each topic's mesh.
func (t *tracer) report() (counts map[string]int64, mesh map[string][]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mesh = map[string][]string{}
	for topic, members := range t.mesh {
		mesh[topic] = []string{}
		for p := range members {
			mesh[topic] = append(mesh[topic], p.String())
		}
		slices.Sort(mesh[topic])
	}
	return maps.Clone(t.counts), mesh
}

// noRouting knows nobody: without a DHT a node meets only those whom it dials or who dial it.
type noRouting struct{}

func (noRouting) Provide(context.Context, cid.Cid, bool) error { return nil }
func (noRouting) FindProvidersAsync(context.Context, cid.Cid, int) <-chan peer.AddrInfo {
	none := make(chan peer.AddrInfo)
	close(none)
	return none
}
func (noRouting) FindPeer(context.Context, peer.ID) (peer.AddrInfo, error) {
	return peer.AddrInfo{}, routing.ErrNotFound
}
func (noRouting) PutValue(context.Context, string, []byte, ...routing.Option) error {
	return routing.ErrNotSupported
}
func (noRouting) GetValue(context.Context, string, ...routing.Option) ([]byte, error) {
	return nil, routing.ErrNotFound
}
func (noRouting) SearchValue(context.Context, string, ...routing.Option) (<-chan []byte, error) {
	return nil, routing.ErrNotFound
}
func (noRouting) Bootstrap(context.Context) error { return nil }
