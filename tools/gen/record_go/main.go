// Writes tests/vectors/records-go.json: what Go's encoding/json makes of registry records, read into
// the types that the Go nodes use and written again. Run by hand, with any Go:
//
//	GO111MODULE=off go run tools/gen/record_go/main.go > tests/vectors/records-go.json
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
)

type gpu struct {
	Name  string `json:"name"`
	Total int64  `json:"total_memory"`
	Used  int64  `json:"used_memory"`
}

type hardware struct {
	GPUs      []gpu `json:"gpus"`
	Memory    int64 `json:"host_memory"`
	Bandwidth int64 `json:"host_memory_bandwidth"`
	Used      int64 `json:"host_memory_used"`
}

type service struct {
	Name     string   `json:"name"`
	Hardware hardware `json:"hardware"`
	Status   string   `json:"status"`
	Host     string   `json:"host"`
	Port     string   `json:"port"`
	Groups   []string `json:"identity_group"`
}

type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Sig     string `json:"build_sig"`
}

type identity struct {
	Peer      string `json:"peer_id"`
	Wallet    string `json:"wallet_pubkey"`
	Timestamp int64  `json:"timestamp"`
	Signature string `json:"signature"`
}

// Field order and omitempty as the nodes write them.
type peer struct {
	ID           string         `json:"id"`
	Latency      int            `json:"latency"`
	Privileged   bool           `json:"privileged"`
	Owner        string         `json:"owner"`
	Provider     string         `json:"provider_id,omitempty"`
	Current      []string       `json:"current_offering"`
	Role         []string       `json:"role"`
	Status       string         `json:"status"`
	Available    []string       `json:"available_offering"`
	Service      []service      `json:"service"`
	LastSeen     int64          `json:"last_seen"`
	Version      string         `json:"version"`
	Address      string         `json:"public_address"`
	Port         string         `json:"public_port,omitempty"`
	Hardware     hardware       `json:"hardware"`
	Relay        string         `json:"relay_peer,omitempty"`
	Evicted      string         `json:"evicted_by,omitempty"`
	Connected    bool           `json:"connected"`
	Load         []int          `json:"load"`
	Build        *build         `json:"build_attestation,omitempty"`
	Identity     *identity      `json:"identity_attestation,omitempty"`
	Capabilities []string       `json:"capabilities,omitempty"`
	Counts       map[string]int `json:"service_name_counts,omitempty"`
}

var whole = `{"id":"12D3KooWx","latency":-3,"privileged":true,"owner":"w","provider_id":"otela-w","current_offering":["a"],` +
	`"role":["worker","relay"],"status":"left","available_offering":[],"service":[{"name":"llm","hardware":{"gpus":[{"name":"H200",` +
	`"total_memory":143771,"used_memory":7}],"host_memory":1,"host_memory_bandwidth":2,"host_memory_used":3},"status":"connected",` +
	`"host":"localhost","port":"8000","identity_group":["model=a/b:c","k=*","all"]}],"last_seen":1795367725,"version":"v",` +
	`"public_address":"192.0.2.1","public_port":"43905","hardware":{"gpus":null,"host_memory":9223372036854775807,` +
	`"host_memory_bandwidth":-9223372036854775808,"host_memory_used":0},"relay_peer":"Qmr","evicted_by":"Qme","connected":true,` +
	`"load":[1,-2,3],"build_attestation":{"version":"1","commit":"c","build_sig":"00"},"identity_attestation":{"peer_id":"p",` +
	`"wallet_pubkey":"w","timestamp":17,"signature":"c2ln"},"capabilities":["service-policy-v2"],"service_name_counts":{"llm":1,"a":2}}`

var inputs = []struct{ name, text string }{
	{"empty", `{}`},
	{"whole", whole},
	{"blanks", " \t\r\n{ \"id\" : \"a\" , \"role\" : [ ] } \n"},
	{"nulls", `{"id":null,"latency":null,"privileged":null,"role":null,"service":null,"hardware":null,"load":null,` +
		`"build_attestation":null,"identity_attestation":null,"capabilities":null,"service_name_counts":null}`},
	{"nulls after values", `{"id":"a","id":null,"role":["x"],"role":null,"load":[1],"load":null,"latency":4,"latency":null,` +
		`"build_attestation":{"version":"1"},"build_attestation":null,"service":[{"name":"x"}],"service":null,` +
		`"hardware":{"gpus":[],"host_memory":1},"hardware":null,"service_name_counts":{"a":1},"service_name_counts":null,` +
		`"identity_attestation":{},"identity_attestation":null,"connected":true,"connected":null}`},
	{"empty arrays", `{"role":[],"service":[],"load":[],"capabilities":[],"hardware":{"gpus":[]},"service_name_counts":{}}`},
	{"empty objects", `{"hardware":{},"build_attestation":{},"identity_attestation":{},"service":[{}]}`},
	{"latency as text", `{"latency":"12","id":"a"}`},
	{"port as number", `{"service":[{"name":"llm","port":8000,"host":"h"}]}`},
	{"last_seen as fraction", `{"last_seen":1.5,"id":"a"}`},
	{"last_seen with exponent", `{"last_seen":1e3,"id":"a"}`},
	{"last_seen too big", `{"last_seen":9223372036854775808,"id":"a"}`},
	{"last_seen minus zero", `{"last_seen":-0,"id":"a"}`},
	{"wrong types everywhere", `{"id":1,"latency":true,"privileged":"yes","owner":{},"provider_id":[],"current_offering":"x","role":{},` +
		`"status":false,"available_offering":1,"service":{"name":"x"},"last_seen":"5","version":[1],"public_address":{"a":1},` +
		`"public_port":43905,"hardware":[],"relay_peer":1,"evicted_by":[],"connected":1,"load":"x","build_attestation":"x",` +
		`"identity_attestation":5,"capabilities":true,"service_name_counts":[1]}`},
	{"wrong elements", `{"role":["a",1,null,"b",{},[]],"load":[1,"2",null,3.5,4],"service":[1,{"name":"x"},null,[],"y"],` +
		`"hardware":{"gpus":[5,{"name":"g","total_memory":"x","used_memory":1},null]}}`},
	{"wrong in hardware", `{"hardware":{"gpus":5,"host_memory":"x","host_memory_used":7},"service":[{"hardware":{"gpus":{}}}]}`},
	{"wrong in service", `{"service":[{"name":5,"hardware":7,"status":[],"host":{},"port":1,"identity_group":"model=a"},` +
		`{"name":"b","identity_group":["x=y",1,null]}]}`},
	{"wrong in counts", `{"service_name_counts":{"b":"x","a":1,"c":null,"d":{},"e":1.5}}`},
	{"counts sorted", `{"service_name_counts":{"b":1,"aa":2,"a":3,"\u00e9":4,"B":5,"b":6,"":7}}`},
	{"counts merged", `{"service_name_counts":{"b":1},"service_name_counts":{"a":2}}`},
	{"wrong in attestations", `{"build_attestation":{"version":1,"commit":"c"},"identity_attestation":{"timestamp":"x","peer_id":"p"}}`},
	{"attestations merged", `{"build_attestation":{"version":"1"},"build_attestation":{"commit":"c"}}`},
	{"hardware merged", `{"hardware":{"host_memory":1,"host_memory_used":2},"hardware":{"host_memory":3}}`},
	{"last wins", `{"id":"a","id":"b","ID":"c","latency":1,"latency":2,"role":["x","y"],"role":["z"]}`},
	{"last wins but not when mistyped", `{"id":"a","id":5,"role":["x"],"role":7}`},
	{"names without case", `{"ID":"a","Last_Seen":5,"SERVICE":[{"NAME":"llm","Identity_Group":["a=b"]}],"Hardware":{"GPUS":[]}}`},
	{"names with odd letters", "{\"la\u017ft_\u017feen\":5,\"\u017ftatu\u017f\":\"left\"}"},
	{"name escaped", `{"\u0069d":"a","ro\u006ce":["b"]}`},
	{"unknown fields", `{"id":"a","signatures":{"x":[1,{"y":null}]},"zone":"eu","service":[{"name":"a","weight":3}]}`},
	{"html", `{"id":"<a href='x'>&amp;</a>","status":"\u003c\u003e\u0026"}`},
	{"line separators", "{\"id\":\"a\u2028b\u2029c\",\"status\":\"\\u2028\\u2029\\u202a\"}"},
	{"controls", `{"id":"\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f\"\\\/"}`},
	{"unicode", "{\"id\":\"\u00e9\u20ac\U0001f600\\ud83d\\ude00\\ud83d\\u00e9\"}"},
	{"ill-formed utf-8", "{\"id\":\"a\xffb\xe2\x82c\xed\xa0\x80\",\"role\":[\"\xc3\"]}"},
	{"signed by us", `{"id":"a","region":"eu","price":{"in":0.1},"capacity":[1],"signature":"x"}`},
	{"text", `"x"`}, {"number", `5`}, {"array", `[{"id":"a"}]`}, {"null", `null`}, {"nothing", ``},
	{"cut", `{"id":"a"`}, {"comma", `{"id":"a",}`}, {"two", `{"id":"a"}{}`}, {"trailing", `{"id":"a"} x`},
	{"broken far on", `{"id":"a","role":["b"],"load":[1,2,}`},
	{"control in text", "{\"id\":\"a\nb\"}"},
	{"byte order mark", "\xef\xbb\xbf{}"},
	{"deep", `{"id":"a","x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`},
}

type vector struct {
	Name     string `json:"name"`
	Hex      string `json:"hex"`
	Valid    bool   `json:"valid"`
	Expected string `json:"expected"`
	Error    string `json:"error,omitempty"`
}

func read(name, text string) vector {
	var p peer
	v := vector{Name: name, Hex: hex.EncodeToString([]byte(text)), Valid: true}
	err := json.Unmarshal([]byte(text), &p)
	if err != nil {
		v.Error = err.Error()
	}
	if _, mistyped := err.(*json.UnmarshalTypeError); err != nil && !mistyped {
		v.Valid = false
		return v
	}
	if t := strings.TrimSpace(text); t == "" || t[0] != '{' {
		v.Valid = false // Go gives an empty row
		return v
	}
	out, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	v.Expected = hex.EncodeToString(out)
	return v
}

func main() {
	var vs []vector
	for _, in := range inputs {
		vs = append(vs, read(in.name, in.text))
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	err := out.Encode(map[string]any{
		"protocol": "registry record",
		"note":     "hex: a record; expected: the bytes that Go's encoding/json writes after reading it, into the types of OpenTela's records (OCF's are a part of them); valid false: not a record",
		"recorded": fmt.Sprintf("encoding/json of %s", runtime.Version()),
		"vectors":  vs,
	})
	if err != nil {
		panic(err)
	}
}
