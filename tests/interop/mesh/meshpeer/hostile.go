package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-ds-crdt/pb"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

var errUnknownCommand = errors.New("unknown command")

// hostile carries out the commands that an honest node has no use for.
func (n *node) hostile(ctx context.Context, req *request) (answer, error) {
	switch req.Cmd {
	case "fake_heads":
		return n.fakeHeads(ctx, req)
	case "empty_head":
		return n.emptyHead(ctx)
	case "raw_delta":
		return n.rawDelta(ctx, req)
	case "raw_chain":
		return n.rawChain(ctx, req)
	case "publish":
		return nil, n.publish(ctx, req)
	case "bad_signatures", "graft_flood", "ihave_flood", "oversize_rpc":
		return n.badGossip(ctx, req)
	case "want_flood":
		return n.wantFlood(ctx, req)
	}
	return nil, fmt.Errorf("%w %q", errUnknownCommand, req.Cmd)
}

// randomCID names a block that nobody has.
func randomCID() cid.Cid {
	var seed [32]byte
	rand.Read(seed[:])
	c, err := merkledag.V1CidPrefix().Sum(seed[:])
	if err != nil {
		panic(err)
	}
	return c
}

// fakeHeads announces n heads that cannot be fetched, in one broadcast.
func (n *node) fakeHeads(ctx context.Context, req *request) (answer, error) {
	var cids []cid.Cid
	names := []string{}
	for range max(req.N, 1) {
		c := randomCID()
		cids, names = append(cids, c), append(names, c.String())
	}
	return answer{"cids": names[:min(len(names), 16)]}, n.heads.announceCIDs(ctx, cids...)
}

// emptyHead announces a block of no bytes, and serves it.
func (n *node) emptyHead(ctx context.Context) (answer, error) {
	node := merkledag.NodeWithData(nil)
	node.SetCidBuilder(merkledag.V1CidPrefix())
	if err := n.lite.Add(ctx, node); err != nil {
		return nil, err
	}
	return answer{"cid": node.Cid().String(), "bytes": len(node.RawData())}, n.heads.announceCIDs(ctx, node.Cid())
}

// block makes a CRDT block and serves it, without telling our own CRDT.
func (n *node) block(ctx context.Context, delta *pb.Delta, links []cid.Cid) (cid.Cid, error) {
	data, err := proto.Marshal(delta)
	if err != nil {
		return cid.Undef, err
	}
	node := merkledag.NodeWithData(data)
	node.SetCidBuilder(merkledag.V1CidPrefix())
	for _, c := range links {
		if err := node.AddRawLink("", &ipld.Link{Cid: c}); err != nil {
			return cid.Undef, err
		}
	}
	return node.Cid(), n.lite.Add(ctx, node)
}

// links reads "none", "heads" (the default), "missing" or CIDs between commas.
func (n *node) links(ctx context.Context, text string) ([]cid.Cid, error) {
	switch text {
	case "none":
		return nil, nil
	case "", "heads":
		return n.store.InternalStats(ctx).Heads, nil
	case "missing":
		return []cid.Cid{randomCID()}, nil
	}
	var out []cid.Cid
	for _, part := range strings.Split(text, ",") {
		c, err := cid.Decode(part)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// rawDelta announces a block of our making: n elements (key, key-1, ...) or a tombstone (key, id), any
// priority, any links. With quiet it is served but not announced.
func (n *node) rawDelta(ctx context.Context, req *request) (answer, error) {
	links, err := n.links(ctx, req.Links)
	if err != nil {
		return nil, err
	}
	delta := &pb.Delta{Priority: req.Priority}
	for i := range max(req.N, 1) {
		key := req.Key
		if i > 0 {
			key = fmt.Sprintf("%s-%d", req.Key, i)
		}
		if req.Tombstone != "" {
			delta.Tombstones = append(delta.Tombstones, &pb.Element{Key: key, Id: req.Tombstone})
		} else {
			delta.Elements = append(delta.Elements, &pb.Element{Key: key, Value: []byte(req.Value)})
		}
	}
	c, err := n.block(ctx, delta, links)
	if err != nil || req.Quiet {
		return answer{"cid": c.String()}, err
	}
	return answer{"cid": c.String()}, n.heads.announceCIDs(ctx, c)
}

// rawChain announces a chain of n blocks that all write one key; with links "missing" it has no end.
func (n *node) rawChain(ctx context.Context, req *request) (answer, error) {
	links, err := n.links(ctx, req.Links)
	if err != nil {
		return nil, err
	}
	var c cid.Cid
	for i := range max(req.N, 1) {
		delta := &pb.Delta{
			Priority: req.Priority + uint64(i) + 1,
			Elements: []*pb.Element{{Key: req.Key, Value: fmt.Appendf(nil, `{"id":"%s","n":%d}`, strings.TrimPrefix(req.Key, "/"), i)}},
		}
		if c, err = n.block(ctx, delta, links); err != nil {
			return nil, err
		}
		links = []cid.Cid{c}
	}
	return answer{"cid": c.String()}, n.heads.announceCIDs(ctx, c)
}

// publish sends n well-signed messages of random bytes, or of the value, on one of our two topics.
func (n *node) publish(ctx context.Context, req *request) error {
	topic := n.heads.topic
	if req.Topic == pingTopic {
		topic = n.pings
	}
	for range max(req.N, 1) {
		data := []byte(req.Value)
		if req.Value == "" {
			data = make([]byte, max(req.Bytes, 1))
			rand.Read(data)
		}
		if err := topic.Publish(ctx, data); err != nil {
			return err
		}
		time.Sleep(time.Duration(req.GapMS) * time.Millisecond)
	}
	return nil
}

// raw opens a stream of our own. On a meshsub protocol it takes the place of gossipsub's, which comes back
// by itself after the command.
func (n *node) raw(ctx context.Context, req *request, protos ...protocol.ID) (network.Stream, error) {
	id, err := peer.Decode(req.Peer)
	if err != nil {
		return nil, err
	}
	if req.Protocol != "" {
		protos = []protocol.ID{protocol.ID(req.Protocol)}
	}
	return n.h.NewStream(network.WithNoDial(ctx, "the runner dials"), id, protos...)
}

func bytesField(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

func intField(to []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), value)
}

func delimited(message []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(message))), message...)
}

// hello subscribes to the topic of the heads.
func hello() []byte {
	return bytesField(nil, 1, bytesField(intField(nil, 1, 1), 2, []byte(headsTopic)))
}

// badRPC is one RPC of a flood.
func (n *node) badRPC(req *request, i int) ([]byte, error) {
	switch req.Cmd {
	case "bad_signatures":
		var msg []byte
		msg = bytesField(msg, 1, []byte(n.h.ID()))
		msg = bytesField(msg, 2, []byte("ping"))
		msg = bytesField(msg, 3, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
		msg = bytesField(msg, 4, []byte(headsTopic))
		msg = bytesField(msg, 5, make([]byte, 64))
		return bytesField(nil, 2, msg), nil
	case "graft_flood": // by turns with PRUNE, so that each is a new one
		entry := bytesField(nil, 1, []byte(headsTopic))
		return bytesField(nil, 3, bytesField(nil, protowire.Number(3+i%2), entry)), nil
	case "ihave_flood":
		entry := bytesField(nil, 1, []byte(headsTopic))
		for range 100 {
			id := make([]byte, 42)
			rand.Read(id)
			entry = bytesField(entry, 2, id)
		}
		return bytesField(nil, 3, bytesField(nil, 1, entry)), nil
	}
	return nil, fmt.Errorf("%w %q", errUnknownCommand, req.Cmd)
}

// flood opens a meshsub stream of our own, and subscribes on it.
func (n *node) flood(ctx context.Context, req *request) (network.Stream, error) {
	s, err := n.raw(ctx, req, "/meshsub/1.2.0", "/meshsub/1.1.0")
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		s.SetDeadline(end)
	}
	if _, err = s.Write(delimited(hello())); err != nil {
		s.Reset()
		return nil, err
	}
	return s, nil
}

// badGossip floods a peer. sent is how many RPCs went out before the peer ended the connection; gone tells
// whether the connection is gone a second later. A stream that is ended, as when gossipsub's own one comes back
// and replaces it, is opened again.
func (n *node) badGossip(ctx context.Context, req *request) (answer, error) {
	s, err := n.flood(ctx, req)
	if err != nil {
		return nil, err
	}
	peer, sent := s.Conn().RemotePeer(), 0
	defer func() { s.Reset() }()
	if req.Cmd == "oversize_rpc" {
		sent = writeOversize(s, max(req.Bytes, 2<<20))
	}
	for fails := 0; req.Cmd != "oversize_rpc" && sent < max(req.N, 1) && fails < 50; {
		rpc, err := n.badRPC(req, sent)
		if err != nil {
			return nil, err
		}
		if _, err = s.Write(delimited(rpc)); err == nil {
			sent++
			time.Sleep(time.Duration(req.GapMS) * time.Millisecond)
			continue
		}
		fails++
		again, err := n.flood(ctx, req)
		if err != nil {
			break
		}
		s = again
	}
	time.Sleep(time.Second)
	return answer{"sent": sent, "gone": len(n.h.Network().ConnsToPeer(peer)) == 0}, nil
}

// writeOversize announces an RPC of that many bytes and sends them; it returns how many went out.
func writeOversize(s io.Writer, size int) int {
	if _, err := s.Write(binary.AppendUvarint(nil, uint64(size))); err != nil {
		return 0
	}
	piece, sent := make([]byte, 32<<10), 0
	for sent < size {
		n, err := s.Write(piece[:min(len(piece), size-sent)])
		sent += n
		if err != nil {
			break
		}
	}
	return sent
}

// wantFlood asks by bitswap for n blocks that nobody has, 100 in a message.
func (n *node) wantFlood(ctx context.Context, req *request) (answer, error) {
	s, err := n.raw(ctx, req, "/ipfs/bitswap/1.2.0")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if end, ok := ctx.Deadline(); ok {
		s.SetDeadline(end)
	}
	sent := 0
	for sent < max(req.N, 1) {
		var wants []byte
		for range min(100, req.N-sent) {
			entry := bytesField(nil, 1, randomCID().Bytes())
			entry = intField(entry, 2, 1)
			entry = intField(entry, 4, uint64(sent%2))
			entry = intField(entry, 5, 1)
			wants = bytesField(wants, 1, entry)
			sent++
		}
		if _, err := s.Write(delimited(bytesField(nil, 1, wants))); err != nil {
			return answer{"sent": sent, "error_text": err.Error()}, nil
		}
	}
	time.Sleep(time.Second)
	return answer{"sent": sent, "gone": len(n.h.Network().ConnsToPeer(s.Conn().RemotePeer())) == 0}, nil
}
