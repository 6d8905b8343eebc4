package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const pageMax = 500

func digest(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:])
}

// run carries out one command.
func (n *node) run(req *request) (answer, error) {
	ctx, cancel := context.WithTimeout(n.ctx, req.timeout())
	defer cancel()
	switch req.Cmd {
	case "connect":
		return n.connect(ctx, req.Addr)
	case "disconnect":
		id, err := peer.Decode(req.Peer)
		if err != nil {
			return nil, err
		}
		return nil, n.h.Network().ClosePeer(id)
	case "put":
		return n.put(ctx, req.Key, []byte(req.Value))
	case "delete":
		at := time.Now().UnixNano()
		return answer{"at_ns": at}, n.store.Delete(ctx, datastore.NewKey(req.Key))
	case "get":
		return n.get(ctx, req.Key)
	case "table":
		return n.page(ctx, req.From, req.Limit)
	case "digest":
		return n.digest(ctx)
	case "heads":
		return n.headList(ctx)
	case "wait":
		return n.waitValue(ctx, req)
	case "bulk_put":
		return n.bulkPut(ctx, req)
	case "stats":
		return n.stats(ctx)
	case "register":
		return nil, n.adopt(record{Service: []serviceRecord{newService(req.Name, req.Port, req.Groups)}})
	case "announce":
		return nil, n.announce()
	case "leave":
		return nil, n.leave()
	case "request":
		return n.request(ctx, req)
	case "tunnel":
		return n.tunnel(req.Peer)
	}
	return n.hostile(ctx, req)
}

func (n *node) connect(ctx context.Context, addr string) (answer, error) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, err
	}
	if err := n.h.Connect(network.WithForceDirectDial(ctx, "asked for"), *info); err != nil {
		return nil, err
	}
	conns := n.h.Network().ConnsToPeer(info.ID)
	if len(conns) == 0 {
		return nil, errors.New("the connection was closed at once")
	}
	state := conns[0].ConnState()
	return answer{"peer": info.ID.String(), "security": state.Security, "muxer": state.StreamMultiplexer}, nil
}

// put writes a value; at_ns is just before.
func (n *node) put(ctx context.Context, key string, value []byte) (answer, error) {
	at := time.Now().UnixNano()
	if err := n.store.Put(ctx, datastore.NewKey(key), value); err != nil {
		return nil, err
	}
	return answer{"at_ns": at, "sha256": digest(value)}, nil
}

func (n *node) get(ctx context.Context, key string) (answer, error) {
	value, err := n.store.Get(ctx, datastore.NewKey(key))
	if errors.Is(err, datastore.ErrNotFound) {
		return answer{"absent": true}, nil
	}
	if err != nil {
		return nil, err
	}
	return answer{"value": string(value), "sha256": digest(value), "bytes": len(value)}, nil
}

// rows gives all registry rows in the order of their keys.
func (n *node) rows(ctx context.Context) ([]query.Entry, error) {
	results, err := n.store.Query(ctx, query.Query{})
	if err != nil {
		return nil, err
	}
	defer results.Close()
	all, err := results.Rest()
	slices.SortFunc(all, func(a, b query.Entry) int { return strings.Compare(a.Key, b.Key) })
	return all, err
}

// page gives rows after the key from; next is missing on the last page.
func (n *node) page(ctx context.Context, from string, limit int) (answer, error) {
	all, err := n.rows(ctx)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > pageMax {
		limit = pageMax
	}
	rows, ans := []answer{}, answer{"total": len(all)}
	for _, e := range all {
		if e.Key <= from {
			continue
		}
		if len(rows) == limit {
			ans["next"] = rows[limit-1]["key"]
			break
		}
		rows = append(rows, answer{"key": e.Key, "sha256": digest(e.Value), "bytes": len(e.Value)})
	}
	ans["rows"] = rows
	return ans, nil
}

// digest sums up the registry in one line: equal digests, equal rows.
func (n *node) digest(ctx context.Context) (answer, error) {
	all, err := n.rows(ctx)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, e := range all {
		fmt.Fprintf(h, "%s %s\n", e.Key, digest(e.Value))
	}
	if n.cfg.fault == "differs" {
		h.Write([]byte(n.h.ID()))
	}
	return answer{"rows": len(all), "sha256": hex.EncodeToString(h.Sum(nil))}, nil
}

func (n *node) headList(ctx context.Context) (answer, error) {
	s := n.store.InternalStats(ctx)
	heads := []string{}
	for _, c := range s.Heads {
		heads = append(heads, c.String())
	}
	slices.Sort(heads)
	return answer{"heads": heads, "max_height": s.MaxHeight, "queued_jobs": s.QueuedJobs}, nil
}

// bulkPut makes a history of n blocks: one distinct key each, or all of them for one key. With quiet no
// heads are announced meanwhile; the next rebroadcast does it.
func (n *node) bulkPut(ctx context.Context, req *request) (answer, error) {
	n.heads.muted.Store(req.Quiet)
	defer n.heads.muted.Store(false)
	prefix := req.Prefix
	if prefix == "" {
		prefix = "/bulk"
	}
	start := time.Now()
	filler := strings.Repeat("x", max(req.Bytes, 1))
	for i := range req.N {
		key := fmt.Sprintf("%s-%06d", prefix, i)
		if req.Mode == "one" {
			key = prefix
		}
		value := fmt.Sprintf(`{"id":"%s","n":%d,"pad":"%s"}`, strings.TrimPrefix(key, "/"), i, filler)
		if err := n.store.Put(ctx, datastore.NewKey(key), []byte(value)); err != nil {
			return nil, fmt.Errorf("put %d: %w", i, err)
		}
		if req.GapMS > 0 {
			time.Sleep(time.Duration(req.GapMS) * time.Millisecond)
		}
	}
	return answer{"n": req.N, "ms": time.Since(start).Milliseconds()}, nil
}

// blocks counts the processed blocks of the CRDT.
func (n *node) blocks(ctx context.Context) (int, error) {
	results, err := n.ds.Query(ctx, query.Query{Prefix: namespace + "/b", KeysOnly: true})
	if err != nil {
		return 0, err
	}
	defer results.Close()
	count := 0
	for range results.Next() {
		count++
	}
	return count, nil
}

func (n *node) stats(ctx context.Context) (answer, error) {
	blocks, err := n.blocks(ctx)
	if err != nil {
		return nil, err
	}
	protocols := answer{}
	for id, s := range n.bw.GetBandwidthByProtocol() {
		protocols[string(id)] = answer{"in": s.TotalIn, "out": s.TotalOut}
	}
	counts, mesh := n.trace.report()
	topics := answer{}
	for _, topic := range n.ps.GetTopics() {
		peers := []string{}
		for _, id := range n.ps.ListPeers(topic) {
			peers = append(peers, id.String())
		}
		slices.Sort(peers)
		topics[topic] = answer{"peers": peers, "mesh": append([]string{}, mesh[topic]...)}
	}
	total, crdt := n.bw.GetBandwidthTotals(), n.store.InternalStats(ctx)
	n.seen.mu.Lock()
	puts, deletes := n.seen.puts, n.seen.deletes
	n.seen.mu.Unlock()
	return answer{
		"blocks": blocks, "heads": len(crdt.Heads), "max_height": crdt.MaxHeight, "queued_jobs": crdt.QueuedJobs,
		"dirty": n.store.IsDirty(ctx), "put_hooks": puts, "delete_hooks": deletes,
		"broadcasts_out": n.heads.sent.Load(), "broadcasts_in": n.heads.gotten.Load(),
		"connections": len(n.h.Network().Conns()), "bytes_in": total.TotalIn, "bytes_out": total.TotalOut,
		"protocols": protocols, "topics": topics, "gossip": counts,
		"goroutines": runtime.NumGoroutine(), "rss": residentBytes(),
	}, nil
}

// residentBytes is the resident memory of this process.
func residentBytes() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	var size, resident int64
	if err == nil {
		fmt.Sscan(string(raw), &size, &resident)
	}
	return resident * int64(os.Getpagesize())
}
