package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
)

// How well a provider fits a request.
const (
	fitNone = iota
	fitAll
	fitWildcard
	fitExact
)

// match gives the peer ids that may serve the request, in random order.
func (n *node) match(providers []record, service string, body []byte, header http.Header) []string {
	fields := map[string]json.RawMessage{}
	json.Unmarshal(body, &fields) // no JSON object: no fields
	least := fitExact
	if !n.isOCF() {
		if group := header.Get("X-Otela-Identity-Group"); group != "" {
			key, value, _ := strings.Cut(group, "=")
			quoted, _ := json.Marshal(value)
			fields = map[string]json.RawMessage{key: quoted}
		}
		switch header.Get("X-Otela-Fallback") {
		case "1":
			least = fitWildcard
		case "2":
			least = fitAll
		}
	}
	byFit := map[int][]string{}
	for _, p := range providers {
		if fit := n.fit(p, service, fields); fit != fitNone {
			byFit[fit] = append(byFit[fit], p.ID)
		}
	}
	for fit := fitExact; fit >= least; fit-- {
		if ids := byFit[fit]; len(ids) > 0 {
			rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			return ids
		}
	}
	return nil
}

// fit tells how well the services of that name fit; the first that fits at all decides.
func (n *node) fit(p record, service string, fields map[string]json.RawMessage) int {
	for _, s := range p.Service {
		if s.Name != service {
			continue
		}
		best := fitNone
		for _, group := range s.IdentityGroup {
			best = max(best, n.fitGroup(group, fields))
		}
		if best != fitNone {
			return best
		}
	}
	return fitNone
}

// fitGroup compares one identity group with the top-level fields of the body. OCF knows only exact ones.
func (n *node) fitGroup(group string, fields map[string]json.RawMessage) int {
	key, want, found := strings.Cut(group, "=")
	if !found {
		if group == "all" && !n.isOCF() {
			return fitAll
		}
		return fitNone
	}
	raw, present := fields[key]
	if !present {
		return fitNone
	}
	var have string
	if json.Unmarshal(raw, &have) == nil && have == want {
		return fitExact
	}
	if want == "*" && !n.isOCF() {
		return fitWildcard
	}
	return fitNone
}
