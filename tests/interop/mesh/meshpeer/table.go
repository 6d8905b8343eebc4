package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// record is the JSON of a registry value; the order of the fields is that of the running network.
type record struct {
	ID                string          `json:"id"`
	Latency           int             `json:"latency"`
	Privileged        bool            `json:"privileged"`
	Owner             string          `json:"owner"`
	CurrentOffering   []string        `json:"current_offering"`
	Role              []string        `json:"role"`
	Status            string          `json:"status"`
	AvailableOffering []string        `json:"available_offering"`
	Service           []serviceRecord `json:"service"`
	LastSeen          int64           `json:"last_seen"`
	Version           string          `json:"version"`
	PublicAddress     string          `json:"public_address"`
	PublicPort        string          `json:"public_port,omitempty"`
	Hardware          hardware        `json:"hardware"`
	RelayPeer         string          `json:"relay_peer,omitempty"`
	EvictedBy         string          `json:"evicted_by,omitempty"`
	Connected         bool            `json:"connected"`
	Load              []int           `json:"load"`
}

type serviceRecord struct {
	Name          string   `json:"name"`
	Hardware      hardware `json:"hardware"`
	Status        string   `json:"status"`
	Host          string   `json:"host"`
	Port          string   `json:"port"`
	IdentityGroup []string `json:"identity_group"`
}

type hardware struct {
	GPUs                []gpu `json:"gpus"`
	HostMemory          int64 `json:"host_memory"`
	HostMemoryBandwidth int64 `json:"host_memory_bandwidth"`
	HostMemoryUsed      int64 `json:"host_memory_used"`
}

type gpu struct {
	Name        string `json:"name"`
	TotalMemory int64  `json:"total_memory"`
	UsedMemory  int64  `json:"used_memory"`
}

// table is the node table: what the registry says of each peer, and whether we think it connected.
type table struct {
	n    *node
	mu   sync.Mutex
	own  record
	rows map[string]*record // by peer id, without ourselves
}

func newTable(n *node) (*table, error) {
	t := &table{n: n, rows: map[string]*record{}}
	t.own = record{ID: n.h.ID().String(), PublicAddress: n.cfg.publicAddr, Connected: true}
	if !n.isOCF() {
		t.own.Role = []string{"worker"}
		if n.cfg.role != "" {
			t.own.Role = []string{n.cfg.role}
		}
		t.own.PublicPort = n.tcpPort()
	}
	for _, text := range n.cfg.services {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) < 2 {
			return nil, fmt.Errorf("service %q has no port", text)
		}
		groups := ""
		if len(parts) == 3 {
			groups = parts[2]
		}
		t.own.Service = append(t.own.Service, newService(parts[0], parts[1], groups))
	}
	return t, nil
}

func newService(name, port, groups string) serviceRecord {
	s := serviceRecord{Name: name, Port: port, Host: "localhost", Status: "connected"}
	if groups != "" {
		s.IdentityGroup = strings.Split(groups, ";")
	}
	return s
}

// tcpPort is the port of the first listen address.
func (n *node) tcpPort() string {
	for _, addr := range n.h.Network().ListenAddresses() {
		if port, err := addr.ValueForProtocol(ma.P_TCP); err == nil {
			return port
		}
	}
	return ""
}

func (n *node) ownKey() datastore.Key { return datastore.NewKey(n.h.ID().String()) }

// announce writes the own record into the registry.
func (n *node) announce() error {
	if !n.joined.Load() {
		return errors.New("not joined yet")
	}
	n.table.mu.Lock()
	n.table.own.LastSeen = time.Now().Unix()
	value, err := json.Marshal(n.table.own)
	n.table.mu.Unlock()
	if err != nil {
		return err
	}
	return n.store.Put(n.ctx, n.ownKey(), value)
}

// leave says goodbye: OCF deletes its record, OpenTela marks it.
func (n *node) leave() error {
	if n.isOCF() {
		return n.store.Delete(n.ctx, n.ownKey())
	}
	n.table.mu.Lock()
	n.table.own.Status = "left"
	n.table.own.Connected = false
	n.table.mu.Unlock()
	return n.announce()
}

// loadTable makes rows of what the datastore held before we started.
func (n *node) loadTable() error {
	results, err := n.store.Query(n.ctx, query.Query{})
	if err != nil {
		return err
	}
	defer results.Close()
	for r := range results.Next() {
		if r.Error != nil {
			return r.Error
		}
		n.table.put(r.Key, r.Value)
	}
	return nil
}

// put takes a registry value. A field of the wrong type spoils only itself.
func (t *table) put(key string, value []byte) {
	id := strings.TrimPrefix(key, "/")
	if id == t.own.ID {
		return
	}
	var rec record
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(value, &rec); err != nil && !errors.As(err, &mistyped) {
		log.Printf("record %s: %v", key, err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, known := t.rows[id]
	rec.Connected = known && old.Connected && rec.Status != "left"
	if t.n.isOCF() {
		rec.Connected = known && old.Connected
	}
	rec.LastSeen = time.Now().Unix()
	t.rows[id] = &rec
}

func (t *table) drop(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, strings.TrimPrefix(key, "/"))
}

func (t *table) has(id peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows[id.String()] != nil
}

// mark sets whether a peer counts as connected; create makes a row for an unknown one.
func (t *table) mark(id peer.ID, connected, create bool) {
	if id == t.n.h.ID() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[id.String()]
	if row == nil && create {
		row = &record{ID: id.String()}
		t.rows[id.String()] = row
	}
	if row != nil {
		row.Connected = connected
		if connected {
			row.LastSeen = time.Now().Unix()
		}
	}
}

// heard takes a gossip ping: OCF credits the forwarder, OpenTela the author.
func (t *table) heard(forwarder, author peer.ID) {
	if t.n.isOCF() {
		t.mark(forwarder, true, true)
		return
	}
	t.mark(author, true, t.n.h.Network().Connectedness(author) == network.Connected)
}

func (t *table) checked(id peer.ID, alive bool) { t.mark(id, alive, false) }

// notifiee follows connections. As in both programs, the end of one connection marks the peer
// disconnected even when another one stays open.
func (t *table) notifiee() *network.NotifyBundle {
	return &network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			t.mark(c.RemotePeer(), true, true)
			go t.reannounce(c.RemotePeer())
		},
		DisconnectedF: func(_ network.Network, c network.Conn) { t.mark(c.RemotePeer(), false, t.n.isOCF()) },
	}
}

// meshWait is how long a new peer may take to enter our mesh before the own record is written all the same.
const meshWait = 2500 * time.Millisecond

// reannounce writes the own record when a new connection calls for it. A head that is published before
// the mesh stands is lost, and then passed over by the next rebroadcast too, so this waits for the mesh.
func (t *table) reannounce(id peer.ID) {
	t.mu.Lock()
	wanted := t.n.cfg.announce == "connect" || t.n.cfg.announce == "services" && len(t.own.Service) > 0
	t.mu.Unlock()
	if !wanted {
		return
	}
	for end := time.Now().Add(meshWait); !t.n.joined.Load() || !t.n.trace.inMesh(id, headsTopic); {
		if t.n.ctx.Err() != nil {
			return
		}
		if time.Now().After(end) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := t.n.announce(); err != nil && t.n.ctx.Err() == nil {
		log.Printf("announce: %v", err)
	}
}

// view is the table by registry key, the own row included; all takes in the rows that are not connected.
func (t *table) view(all bool) map[string]record {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := map[string]record{"/" + t.own.ID: t.own}
	for id, row := range t.rows {
		if all || row.Connected {
			rows["/"+id] = *row
		}
	}
	return rows
}

// providers gives the connected rows with a service of that name, in a stable order.
func (t *table) providers(service string) []record {
	var found []record
	view := t.view(false)
	for _, key := range slices.Sorted(maps.Keys(view)) {
		row := view[key]
		if slices.ContainsFunc(row.Service, func(s serviceRecord) bool { return s.Name == service }) {
			found = append(found, row)
		}
	}
	return found
}

// local finds a service of our own.
func (t *table) local(service string) (serviceRecord, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.own.Service {
		if s.Name == service {
			return s, true
		}
	}
	return serviceRecord{}, false
}

// servicesMax is how many services stay in the own record: the first one, and the latest. After hundreds of
// registrations a reader would take in no more.
const servicesMax = 16

// adopt takes what a POST to /v1/dnt/_node may change of the own record, and announces it.
func (n *node) adopt(change record) error {
	n.table.mu.Lock()
	own := &n.table.own
	own.Status, own.Connected = "", true
	own.Service = append(own.Service, change.Service...)
	if extra := len(own.Service) - servicesMax; extra > 0 { // the real programs keep all
		own.Service = slices.Delete(own.Service, 1, 1+extra)
	}
	if change.Owner != "" {
		own.Owner = change.Owner
	}
	if change.PublicAddress != "" {
		own.PublicAddress = change.PublicAddress
	}
	n.table.mu.Unlock()
	return n.announce()
}

// bootstraps lists who can be dialled: ourselves and connected peers, as far as they have a public address.
func (n *node) bootstraps() []string {
	out := []string{}
	for _, row := range n.table.view(false) {
		if row.PublicAddress == "" {
			continue
		}
		port := row.PublicPort
		if port == "" {
			port = n.tcpPort()
		}
		kind := "dns"
		if ip := net.ParseIP(row.PublicAddress); ip != nil {
			kind = "ip6"
			if ip.To4() != nil {
				kind = "ip4"
			}
		}
		out = append(out, fmt.Sprintf("/%s/%s/tcp/%s/p2p/%s", kind, row.PublicAddress, port, row.ID))
	}
	slices.Sort(out)
	return out
}

// sightings remembers when values were first seen, and wakes those who wait for one.
type sightings struct {
	mu      sync.Mutex
	at      map[string]int64 // Unix ns by key NUL digest
	order   []string
	puts    int64
	deletes int64
	changed chan struct{}
}

const sightingsMax = 200_000

func newSightings() *sightings {
	return &sightings{at: map[string]int64{}, changed: make(chan struct{})}
}

func (s *sightings) put(key string, value []byte) {
	name := key + "\x00" + digest(value)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[name] == 0 {
		s.at[name] = time.Now().UnixNano()
		s.order = append(s.order, name)
		if len(s.order) > sightingsMax {
			delete(s.at, s.order[0])
			s.order = s.order[1:]
		}
	}
	s.puts++
	s.wake()
}

func (s *sightings) deleted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletes++
	s.wake()
}

func (s *sightings) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *sightings) first(key, digest string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[key+"\x00"+digest]
}

// next is closed at the next change.
func (s *sightings) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// waitValue ends when the key has the value (or, with ever, has had it), has one that contains a text, or is
// absent.
func (n *node) waitValue(ctx context.Context, req *request) (answer, error) {
	want := req.SHA256
	if want == "" && req.Value != "" {
		want = digest([]byte(req.Value))
	}
	key := datastore.NewKey(req.Key)
	start := time.Now()
	for {
		changed := n.seen.next()
		value, err := n.store.Get(ctx, key)
		absent := errors.Is(err, datastore.ErrNotFound)
		if err != nil && !absent {
			return nil, err
		}
		at := n.seen.first(key.String(), want)
		fits := absent || (want == "" || digest(value) == want) && strings.Contains(string(value), req.Contains)
		if req.Contains != "" && !absent {
			at = n.seen.first(key.String(), digest(value))
		}
		if absent == req.Absent && fits || req.Ever && at != 0 && want != "" {
			if at == 0 {
				at = time.Now().UnixNano()
			}
			return answer{"ms": time.Since(start).Milliseconds(), "at_ns": at}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waited %d ms for %s; now absent=%v sha256=%s", time.Since(start).Milliseconds(),
				key, absent, digest(value))
		case <-changed:
		case <-time.After(20 * time.Millisecond): // the hook runs just before the value can be read
		}
	}
}
