"""The planted faults: small mistakes that somebody could make, each of which a test must notice.

A fault replaces `old`, which stands exactly once in `path`, by `new`; the tests and corpora of the
modules in `tests` (by default the fault's own), or the simulator's scenarios named there as
"sim/<name>", then have to fail.
"""
import os
from collections import namedtuple

Fault = namedtuple("Fault", "name path old new tests")
FAULTS = []


def fault(name, path, old, new, tests=None):
    FAULTS.append(Fault(name, path, old, new, tests or [os.path.dirname(path)[len("src/"):]]))


YAMUX = "src/p2p/yamux/"
fault("data beyond the receive window is taken", YAMUX + "yamux.c",
      "  if (h->length > s->recv_window) {\n    broken(y);\n    return false;", "  if (0) {\n    return false;")
fault("the receive window is not used up", YAMUX + "yamux.c", "s->recv_window -= h->length;", "(void)s;")
fault("a stream that the peer opened is not acknowledged", YAMUX + "yamux_stream.c", "  ocf_yamux_stream_pend(y, s, PEND_ACK);\n", "")
fault("the acknowledgement goes out a second time", YAMUX + "yamux_out.c",
      "  if (flags != 0)\n    ocf_yamux_stream_unpend(s, PEND_ACK);\n", "")
fault("one stream too many waits for its acknowledgement", YAMUX + "yamux_stream.c",
      "y->st.n_unacked < OCF_YAMUX_UNACKED_MAX", "y->st.n_unacked <= OCF_YAMUX_UNACKED_MAX")
fault("a second acknowledgement counts again", YAMUX + "yamux_stream.c",
      "if ((s->flags & (S_INBOUND | S_ACKED)) != 0)\n    return;", "if ((s->flags & S_INBOUND) != 0)\n    return;")
fault("credit is given back twice", YAMUX + "yamux_out.c", "    s->credit = 0;\n", "")
fault("the send window overflows", YAMUX + "yamux_stream.c",
      "credit > UINT32_MAX - s->send_window ? UINT32_MAX : s->send_window + credit", "s->send_window + credit")
fault("a stream id may be used again", YAMUX + "yamux.c", " || !ocf_yamux_seen_add(&y->seen, h->id)", "")
fault("the peer may use our stream ids", YAMUX + "yamux.c",
      "(h->id & 1) == (y->cfg.dialler ? 1 : 0) || ", "")
fault("stream 0 is a stream", YAMUX + "yamux.c",
      "  if (h->id == 0) {\n    broken(y);\n    return;\n  }\n  if (is_empty", "  if (is_empty")
fault("the code of a reset is taken for credit of an answer", YAMUX + "yamux.c",
      "due_reset(y, s, OCF_ERESET, h->type == TYPE_WINDOW ? h->length : 0);", "due_reset(y, s, OCF_ERESET, 0);")
fault("pings of a flood are all answered", YAMUX + "yamux.c", "    if (!ocf_yamux_bucket_take(&y->pings, now_ns)) {", "    if (0) {")
fault("a pong without our ping is believed", YAMUX + "yamux.c",
      "y->ping_out && h->length == y->ping_value", "y->ping_out")
fault("one inbound stream too many", YAMUX + "yamux.c",
      "y->st.n_inbound >= y->cfg.max_inbound", "y->st.n_inbound > y->cfg.max_inbound")
fault("a window grows without a reader that drains it", YAMUX + "yamux_out.c",
      "y->rtt_ns == 0 || now_ns - s->epoch_ns >= 4 * y->rtt_ns", "y->rtt_ns == 0")
fault("windows grow beyond the connection's total", YAMUX + "yamux_out.c",
      "return (uint32_t)OCF_MIN(by, left);", "return by;")
fault("data goes out before a due pong", YAMUX + "yamux_out.c",
      "return emit_pongs(y, out) && emit_ping(y, now_ns, out)", "return emit_ping(y, now_ns, out)")

NOISE = "src/p2p/noise/"
fault("another peer than the expected one is accepted", NOISE + "noise.c",
      "hs->cfg.expected != NULL && !ocf_peerid_eq(&hs->peer, hs->cfg.expected)", "0")
fault("the identity's signature is not looked at", NOISE + "noise.c",
      'return rc == 0 ? 0 : fail(hs, OCF_EAUTH, "the peer\'s identity signature does not hold");', "return 0;")
fault("the nonce of sent frames stands still", NOISE + "frame.c", "  tx->n++;\n", "")
fault("the nonce of received frames stands still", NOISE + "frame.c", "  rx->n++;\n", "")
fault("both directions use one key", NOISE + "noise.c",
      "ocf_aead_init(&r->rx.aead, initiator ? k2 : k1);", "ocf_aead_init(&r->rx.aead, initiator ? k1 : k2);")
fault("a frame one byte over the limit is sealed", NOISE + "frame.c",
      "n > OCF_NOISE_PLAIN_MAX)", "n > OCF_NOISE_PLAIN_MAX + 1)")
fault("a handshake message may be of any length", NOISE + "noise.c", "if (len > OCF_NOISE_HANDSHAKE_MAX)", "if (0)")
fault("a frame shorter than its tag is a frame", NOISE + "frame.c", "return len < OCF_AEAD_TAG_LEN ? OCF_EPROTO : ", "return ")

CRYPTO = "src/crypto/"
fault("a nonce is used after the last", CRYPTO + "aead/aead.c",
      "  OCF_ASSERT(n <= INT32_MAX && ad.n <= INT32_MAX);\n  if (counter == OCF_AEAD_NONCE_MAX)\n    return OCF_ERANGE;\n  nonce_make(counter, nonce);\n  ctx = n > SMALL_MAX ? context(&c->seal_ctx",
      "  nonce_make(counter, nonce);\n  ctx = n > SMALL_MAX ? context(&c->seal_ctx")
fault("a ciphertext without room for a tag is opened", CRYPTO + "aead/aead.c",
      "  if (n < OCF_AEAD_TAG_LEN)\n    return OCF_ECRYPTO;\n", "")

MULTI = "src/multi/"
fault("ids are compared by their beginning only", MULTI + "peerid/peerid.c",
      "return c != 0 ? c : (int)a->n - (int)b->n;", "return c;")
fault("a key of 42 bytes is hashed and not inlined", MULTI + "peerid/peerid.c",
      "key_pb.n <= OCF_PEERID_INLINE_MAX", "key_pb.n < OCF_PEERID_INLINE_MAX")
fault("a CID of another codec names a peer", MULTI + "peerid/peerid.c", " || cid.codec != OCF_CID_LIBP2P_KEY", "")
fault("a varint with a useless last byte is taken", "src/fmt/varint/varint.c",
      "    if (p[i] == 0 && i > 0)\n      return OCF_EINVAL;\n", "")
fault("a protobuf field may be longer than its message", "src/fmt/pb/pb.c",
      "  if (n > in->n)\n    return false;", "  if (n > in->n + 1)\n    return false;")

fault("a prefix that has connections is forgotten", "src/p2p/swarm/swarm_gate.c",
      "    if (g->n == 0) {", "    if (1) {")

MSS = "src/p2p/mss/mss.c"
fault("a negotiation goes on for ever", MSS, "if (++m->n_rounds >= OCF_MSS_ROUNDS_MAX)", "if (0)")
fault("a token one byte too long is taken", MSS, "n > OCF_MSS_TOKEN_MAX)", "n > OCF_MSS_TOKEN_MAX + 1)")
fault("an answer before the question counts", MSS, "bool asked = !m->name_out && !m->header_out;", "bool asked = true;")
fault("an echo of other bytes is a ping", "src/p2p/ping/ping.c",
      " || memcmp(in.p, p->payload + p->n_got, in.n) != 0", "")
fault("a ping never runs out of time", "src/p2p/ping/ping.c", "&& now_ns >= p->deadline_ns)", "&& 0)")
fault("an identify message of any number of parts is taken", "src/p2p/identify/identify.c",
      " || r->n_parts == OCF_IDENTIFY_PARTS_MAX", "")

H1 = "src/http/h1/"
fault("Content-Length and Transfer-Encoding may stand together", H1 + "fields.c", "if (cl && *chunked)", "if (0)")
fault("two Content-Length fields are one", H1 + "fields.c", "if (came_twice(twice, OCF_H1_F_CONTENT_LENGTH))", "if (0)")
fault("a length with a sign is a number", H1 + "fields.c", "if (v.p[i] < '0' || v.p[i] > '9')", "if (v.p[i] > '9')")
fault("chunked need not be the last coding", H1 + "fields.c", "if (chunked || ocf_h1_span", "if (ocf_h1_span")
fault("a chunk's size overflows", H1 + "body.c", "b->n_digits == SIZE_DIGITS_MAX || b->left > (uint64_t)INT64_MAX >> 4", "0")
fault("a chunk need not end with a line", H1 + "body.c",
      "case ST_DATA_LF: b->state = ST_SIZE; return c == '\\n' ? OCF_H1_E_NONE : OCF_H1_E_CHUNK_END;",
      "case ST_DATA_LF: b->state = ST_SIZE; return OCF_H1_E_NONE;")
fault("a body that ends too early is whole", H1 + "body.c",
      "  if (b->framing == OCF_H1_FRAMING_CLOSE)\n    b->state = ST_DONE;", "  b->state = ST_DONE;")
fault("one field too many is taken", H1 + "parse.c", "if (h->n_fields >= max)", "if (h->n_fields > max)")
fault("two Host fields are one", H1 + "parse.c", "if ((twice >> OCF_H1_F_HOST & 1) != 0)", "if (0)")
fault("HTTP/1.1 without Host is taken", H1 + "parse.c", "return h->minor > 0 ? fail(h, OCF_H1_E_NO_HOST) : 0;", "return 0;")

BASE = "src/base/"
fault("back-off goes beyond its cap", BASE + "time/backoff.c",
      "bool capped = n >= 64 || b->base_ns > b->cap_ns >> n;", "bool capped = n >= 64;")
fault("back-off does not grow", BASE + "time/backoff.c", "    b->n_attempts++;", "    (void)b;")
fault("a queue loses what did not fit its last chunk", BASE + "buf/queue.c",
      "  q->len -= n;\n  while (n > 0) {", "  q->len -= n;\n  while (n > 1) {")

GOSSIP = "src/p2p/gossipsub/"
fault("the signature of a message is not looked at", GOSSIP + "gossip_verify.c",
      "    err = ocf_pubkey_verify(&key, ocf_buf_view(&text), m->wire.signature);", "    err = 0;")
fault("a message may be signed with another's key", GOSSIP + "gossip_verify.c",
      "pb.n > 0 && ocf_peerid_matches_key(&m->author, pb) != 0", "0")
fault("a message that names us as its author is taken", GOSSIP + "gossip_verify.c",
      "ocf_peerid_eq(author, &g->self)", "0")
fault("a message goes back to who brought it", GOSSIP + "gossip_verify.c",
      " || ocf_gossip_brought(q, s->p) ||", " ||")
fault("a message seen before is verified again", GOSSIP + "gossip_verify.c",
      "if (q != NULL || ocf_gossip_ids_has(&g->seen, view))", "if (q != NULL)")
fault("IDONTWANT is not heeded while the message waits", GOSSIP + "gossip_tx.c",
      "bool unwanted = k == Q_FORWARD && ocf_gossip_ids_has(&p->dontwant, ocf_gossip_msg_id(m));",
      "bool unwanted = false;")
fault("a better peer's message finds no room", GOSSIP + "gossip_verify.c",
      "worst == NULL || worst == p || !gives_way(g, worst, p)", "1")
fault("IHAVE names ids of any age", GOSSIP + "gossip_lazy.c",
      "if (g->heartbeat - k->heartbeat > g->cfg.params.history_gossip ||\n        !ocf", "if (!ocf")
fault("messages are kept for ever", GOSSIP + "gossip_lazy.c",
      "g->heartbeat - oldest_kept(g)->heartbeat > g->cfg.params.history", "false")
fault("one id is asked of everybody who has it", GOSSIP + "gossip_lazy.c",
      "           now_ns - pr->askers[pr->n_askers - 1].asked_ns < g->cfg.params.iwant_again_ns)", "           false)")
fault("a broken promise costs nothing", GOSSIP + "gossip_lazy.c",
      "    g->stats.broken_promises++;\n    ocf_gossip_penalize(g, p, 0, 1);", "    g->stats.broken_promises++;")
fault("one message is sent for IWANT without end", GOSSIP + "gossip_lazy.c",
      "return a[i].n++ < g->cfg.limits.iwant_answers_max;", "return true;")
fault("GRAFT is taken in spite of a back-off", GOSSIP + "gossip_mesh.c",
      "b != NULL && ocf_time_add(now_ns, BACKOFF_SLACK_NS) < b->until_ns", "0")
fault("we GRAFT in spite of a back-off", GOSSIP + "gossip_mesh.c",
      "return now_ns >= ocf_time_add(ocf_gossip_backoff_until(g, s->p, s->t), BACKOFF_SLACK_NS);", "return true;")
fault("a later PRUNE shortens the back-off", GOSSIP + "gossip_mesh.c",
      "OCF_MAX(b->until_ns, ocf_time_add(now_ns, for_ns))", "ocf_time_add(now_ns, for_ns)")
fault("a full mesh takes more who ask", GOSSIP + "gossip_mesh.c",
      "return t->n_mesh < g->cfg.params.d_hi || p->outbound;", "return true;")
fault("peers of bad score stay in the mesh", GOSSIP + "gossip_mesh.c",
      "if (s->mesh && ocf_gossip_score(g, s->p) < 0)", "if (0)")
fault("graylisted peers are listened to", GOSSIP + "gossip_rx.c",
      "ocf_gossip_score(g, p) < g->cfg.score.graylist_below", "0")
fault("an RPC may be of any length", GOSSIP + "gossip_rx.c", "rc > 0 && *len <= OCF_GOSSIP_RPC_MAX", "rc > 0")
fault("the length of an RPC need not be minimal", GOSSIP + "gossip_rx.c",
      "= ocf_varint_get(", "= ocf_varint_get_pb(")
fault("coming back clears the score", GOSSIP + "gossip_score.c",
      "if (p->score.invalid <= 0 && p->score.behaviour <= 0)", "if (1)")
fault("many peers on one address cost nothing", GOSSIP + "gossip_score.c",
      "(double)p->n_same_ip - (double)c->colocation_free;", "0;")

BITSWAP = "src/p2p/bitswap/"
fault("blocks that nobody asked for cost nothing", BITSWAP + "client.c",
      "return got_unwanted(p, item);", "return true;")
fault("DONT_HAVE is taken for HAVE", BITSWAP + "client.c",
      "  if (item->dont_have)\n    ocf_bitswap_ask_set(a, ASK_NONE);\n  else if", "  if")
fault("a peer that does not answer is waited for", BITSWAP + "client.c",
      "a->state == ASK_OPEN && a->due_ns <= bs->now_ns", "0")
fault("what was not found is never asked for again", BITSWAP + "client.c",
      "if (bs->now_ns >= w->round_ns)", "if (0)")
fault("a bitswap message may be of any length", BITSWAP + "in.c",
      "n <= 0 || v > OCF_BITSWAP_MESSAGE_MAX", "n <= 0")
fault("the length of a bitswap message need not be minimal", BITSWAP + "in.c", "= ocf_varint_get(", "= ocf_varint_get_pb(")
fault("half a message may wait for ever", BITSWAP + "in.c",
      "  if (!ocf_timer_pending(&in->timer))\n    ocf_wheel_start", "  if (0)\n    ocf_wheel_start")
fault("a full wantlist does not replace the old one", BITSWAP + "in.c",
      "  if (full)\n    ocf_bitswap_wishes_drop(p);\n", "")
fault("one wish more than a peer may have", BITSWAP + "server.c",
      "p->ledger.n >= bs->cfg.wants_per_peer_max", "p->ledger.n > bs->cfg.wants_per_peer_max")
fault("identity CIDs are looked up", BITSWAP + "server.c", "e->cid.hash.code == OCF_MULTIHASH_IDENTITY", "0")
fault("a cancelled wish is served", BITSWAP + "server.c",
      "    if (w != NULL)\n      wish_free(w);\n    return;", "    return;")
fault("who waits for a block is not told of it", BITSWAP + "server.c",
      "    make_ready(w);\n    ocf_bitswap_kick(w->p);", "    make_ready(w);")
fault("want-have is answered with large blocks", BITSWAP + "server.c",
      "!w->block && block.n > OCF_BITSWAP_SMALL", "0")
fault("old protocols get presences", BITSWAP + "server.c", "if (a->p->proto == 0) {", "if (1) {")

fault("links may stand on both sides of the data", MULTI + "dagpb/dagpb.c",
      "links_ended || decode_link(", "decode_link(")
fault("a link's fields may come in any order", MULTI + "dagpb/dagpb.c", " || f.number <= last)", ")")
fault("a node may have two data fields", MULTI + "dagpb/dagpb.c",
      "      if (node.data.p != NULL)\n        return OCF_EINVAL;\n", "")

fault("live rows on the right are not seen from above", "src/crdt/kv/mem.c",
      "e->now.live || any_live(e->kid[0]) || any_live(e->kid[1]);", "e->now.live || any_live(e->kid[0]);")
fault("an abort keeps what was written", "src/crdt/kv/mem.c", "    if (!commit) {", "    if (0) {")

MERKLE = "src/crdt/merkle/"
fault("a block's hash is not looked at", MERKLE + "merkle.c", "if (memcmp(digest, id, ID) != 0)", "if (0)")
fault("a block that nobody asked for is merged", MERKLE + "merkle.c",
      "err = is_missing(m, id) == 0 ? OCF_ENOENT : 0;", "err = OCF_ENOENT;")
fault("of equal priority the lesser value wins", MERKLE + "set.c",
      "compare_bytes(present, value) >= 0;", "compare_bytes(present, value) <= 0;")
fault("the lower priority wins", MERKLE + "set.c", "return priority < at;", "return priority > at;")
fault("a delete that comes before its put is forgotten", MERKLE + "set.c",
      "  err = is_buried(m, kd, g->id);", "  err = 0;")
fault("after a delete the lesser value takes over", MERKLE + "set.c",
      "compare_bytes(value, best_value) > 0", "compare_bytes(value, best_value) < 0")
fault("a delete of the winner brings up nobody", MERKLE + "set.c",
      "  int err = best_element(m, kd, &now.ref);", "  int err = OCF_ENOENT;")
fault("'..' in a key is a name", MERKLE + "set.c", 'if (ocf_bytes_eq(part, OCF_STR("..")))', "if (0)")
fault("block names in small letters name blocks", MERKLE + "set.c",
      "if (text.p[i] >= 'a' && text.p[i] <= 'z')", "if (0)")
fault("a linked head stays a head", MERKLE + "dag.c",
      "return err != 0 ? err : ocf_merkle_heads_unlink(m, id);", "return err;")
fault("a block is complete before its children are", MERKLE + "dag.c",
      "  if (s.missing == 0) {\n    err = push_ready(m, id);", "  if (1) {\n    err = push_ready(m, id);")
fault("a group may end with another number", MERKLE + "delta.c",
      "if (open[--depth] != tag >> 3)", "if (--depth, 0)")
fault("a key need not be UTF-8", MERKLE + "delta.c", "if (!ocf_utf8_ok(f.bytes))", "if (0)")
fault("retries come at the same pace for ever", MERKLE + "fetch.c",
      "f->wait_ns = OCF_MIN(f->wait_ns * 2, m->cfg.retry_max_ns);", "(void)f;")
fault("one announcer fills the table", MERKLE + "fetch.c",
      "by != NULL && by->n_fetches > m->cfg.per_announcer_max", "0")

RECORD = "src/registry/record/"
fault("names of fields match in one case only", RECORD + "parse.c",
      "!ocf_jscan_key_is(p->t.text, fields[i].name)",
      "!ocf_bytes_eq(p->t.text, ocf_bytes(fields[i].name, strlen(fields[i].name)))")
fault("anything may follow the record", RECORD + "parse.c",
      "(ocf_jscan_is_blank(p->in) || fail(p, OCF_EINVAL));", "true;")
fault("a record may be of any size", RECORD + "parse.c", "json.n > OCF_RECORD_JSON_MAX", "0")
fault("null is a mistake", RECORD + "parse.c",
      "return is_null(p) || pass_mistyped(p);", "return pass_mistyped(p);")

TABLE = "src/registry/table/"
fault("another's word on a vouched row counts at once", TABLE + "admit.c",
      "return is_guarded(r, &w) ? hold(t, &w, r, c) : show(t, &w, r, c);", "return show(t, &w, r, c);")
fault("another's delete of a vouched row counts at once", TABLE + "admit.c",
      "  if (is_guarded(r, &w))\n    return hold(t, &w, r, NULL);\n", "")
fault("writing again puts off what is held", TABLE + "admit.c",
      "holds(r) ? r->held_since_ns : w->now_ns;", "w->now_ns;")
fault("an owner's old word counts as new", TABLE + "admit.c",
      "w->author != NULL && o->head && ", "w->author != NULL && ")
fault("one peer has several keys", TABLE + "admit.c",
      "return strlen(text) == id.n && memcmp(text, id.p, id.n) == 0;", "return true;")
fault("our own row can be written by others", TABLE + "admit.c",
      "  if (r != NULL && r->self)\n    return own(t, &w, !shows(r, value));\n", "")
fault("a record may be about another peer", TABLE + "claims.c",
      "err = is_about(&r, peer) ? 0 : OCF_EAUTH;", "err = 0;")
fault("anybody can evict", TABLE + "live.c",
      "return by->self || (by->claims->role_head && !by->claims->left);", "return true;")
fault("a forged \"left\" hides who is connected", TABLE + "live.c",
      "return r->pub.liveness.n_direct == 0 &&\n         r->evidence_ns", "return r->evidence_ns")
fault("who disconnected counts as alive", TABLE + "live.c",
      "  if (was_connected && !connected)\n    r->evidence_ns = 0;\n", "")
fault("what is held is held for ever", TABLE + "live.c",
      "r->pub.claims.held && ocf_time_add(r->held_since_ns, t->opt.hold_ns) <= now_ns", "0")
fault("of too many services the least provided are kept", TABLE + "publish.c",
      "return x->n_providers < y->n_providers ? 1 : -1;", "return x->n_providers < y->n_providers ? -1 : 1;")

BOOTLIST = "src/registry/bootlist/bootlist.c"
fault("an address may stand twice in the list", BOOTLIST, "  if (have(b, addr))\n    return 0;\n", "")
fault("a list may have any number of addresses", BOOTLIST, "if (b->n == OCF_BOOTLIST_MAX)", "if (0)")
fault("a TXT record of another kind is an address", BOOTLIST,
      "  if (!ocf_str_starts(txt, prefix))\n    return 0;\n", "")

ROUTE = "src/route/"
fault("a body is read beyond the bound", ROUTE + "body/body.c",
      "OCF_MIN(chunk.n, b->scan_max - b->n_fed)", "chunk.n")
fault("fields of a broken body count", ROUTE + "body/body.c",
      "  forget(b);\n  return b->state = OCF_BODY_NOT_JSON;", "  return b->state = OCF_BODY_NOT_JSON;")
fault("a body that stops in the middle is whole", ROUTE + "body/body.c",
      "return not_json(b); /* an object is complete with its last byte */", "return b->state = OCF_BODY_DONE;")
fault("wildcards serve who does not fall back", ROUTE + "match/match.c", "if (fallback >= 1)", "if (1)")
fault("fallback 1 reaches those who take all", ROUTE + "match/match.c",
      "if (fallback >= 2)", "if (fallback >= 1)")
fault("a model that is no text matches", ROUTE + "match/match.c", "if (f[i].is_string)", "if (1)")
fault("peers that are not allowed are candidates", ROUTE + "match/match.c",
      "if (is_allowed(&al, row))", "if (1)")
fault("of too many candidates the first are kept", ROUTE + "match/match.c",
      "  if (at < cap)\n    out[at] = row;", "  (void)at;")
fault("a worker that was tried is tried again", ROUTE + "policy/policy.c",
      "if (!is_in(tried, n_tried, rows[i]))", "if (1)")
fault("a turn goes to the same worker again", ROUTE + "policy/round_robin.c",
      "ocf_peerid_cmp(&ocf_snapshot_row(s, rows[i])->peer, last) > 0", "ocf_peerid_cmp(&ocf_snapshot_row(s, rows[i])->peer, last) >= 0")
fault("of two queues the longer is taken", ROUTE + "policy/shortest_queue.c", "? b : a;", "? a : b;")
fault("load that others report does not count", ROUTE + "policy/shortest_queue.c",
      "OCF_MAX(here, r->in_flight)", "here")

LMDB = "src/store/lmdb/"
fault("the check passes over rows' checksums", LMDB + "check.c",
      "if (tag != ocf_lmdb_tag(n->key, body))", "if (0)")
fault("a page may be used twice", LMDB + "check.c", "if ((c->seen[i / 8] >> (i % 8) & 1) != 0)", "if (0)")
fault("keys may stand in any order", LMDB + "check.c",
      "(prev == NULL || compare(t->kind, *prev, key) < 0) &&", "true &&")
fault("two processes open one store", LMDB + "folder.c",
      "if (flock(fd, LOCK_EX | LOCK_NB) == 0) {", "if (1) {")
fault("damaged stores are kept without end", LMDB + "folder.c",
      "return n > OCF_LMDB_ASIDE_MAX ? oldest : 0;", "return 0;")
fault("the store grows beyond its bound", LMDB + "lmdb.c",
      "return db->used_bytes + db->txn_bytes + n <= db->max_bytes ? 0 : OCF_ELIMIT;", "return 0;")
fault("a torn checkpoint is believed", LMDB + "checkpoint.c", " && r->tag == tag_of(r) &&", " &&")
fault("of two checkpoints the older counts", LMDB + "checkpoint.c",
      "any && r.c.seq < out->seq", "any && r.c.seq > out->seq")

MESH = "src/node/mesh/"
fault("who broadcasts heads is not remembered", MESH + "registry.c",
      "ev->data, ocf_peerid_view(ev->author));", "ev->data, ocf_bytes(NULL, 0));", ["sim/foreign-record", "sim/forged-left"])
fault("another's record of ours stays", MESH + "registry.c",
      "case OCF_TABLE_USURPED: ocf_mesh_self_usurped(m); break;", "case OCF_TABLE_USURPED: break;", ["sim/priority-max", "sim/foreign-record"])
fault("who leaves says nothing", MESH + "self.c",
      "  int err = say_left(m);", "  int err = 0;", ["sim/reg-leave"])
fault("what a peer tells of its heads is not looked at", MESH + "heads.c", "  if (x->in.n == 0 || m->store_failed)", "  if (1)",
      ["sim/reg-join", "sim/reg-newcomer", "sim/reg-partition"])
fault("a peer that forges messages stays connected", MESH + "pubsub.c",
      "  ocf_swarm_disconnect(m->swarm, mesh_now(m), id, 0);\n", "",
      ["sim/bad-signatures"])
fault("blocks that came are dropped", MESH + "registry.c",
      "int err = ocf_merkle_block(m->replica, mesh_now(m), ev->cid.p, ev->data);", "int err = 0;", ["sim/reg-join"])

fault("a key file that others can read is used", "src/app/cli/keyfile.c",
      "if ((st->st_mode & 077) != 0) {", "if (0) {")
