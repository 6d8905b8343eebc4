"""The planted faults: small mistakes that somebody could make, each of which a test must notice.

A fault replaces `old`, which stands exactly once in `path`, by `new`; the tests and corpora of the
modules in `tests` (by default the fault's own) then have to fail.
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

fault("a key file that others can read is used", "src/app/cli/keyfile.c", "if ((st->st_mode & 077) != 0) {", "if (0) {")
