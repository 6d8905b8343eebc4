/* Everything that two HTTP implementations may read differently is refused, each case by its name.
 *
 * Method: a table; every row is one cmocka test that feeds a connection whole, cut in two at every
 * byte and in small pieces, and wants the same error each time, with nothing accepted after it.
 * Rows for answers run through the client. A good request in front of some rows shows that the
 * second request of a connection is read no less strictly. */
#include "testing/test.h"
#include "testing/split.h"

#include "http/h1/client.h"
#include "http/h1/server.h"

#define H "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

struct row {
  const char *name;
  struct ocf_bytes in;
  enum ocf_h1_error want;
};

#define ROW(name_, text, error)                                                                    \
  {                                                                                                \
    (name_), { (const uint8_t *)(text), sizeof(text) - 1 }, OCF_H1_E_##error                       \
  }

static const struct row requests[] = {
  /* Line ends and control characters (V-71). */
  ROW("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", BARE_LF),
  ROW("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF),
  ROW("bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", BARE_LF),
  ROW("bare LF inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", BARE_LF),
  ROW("LF before the request line", "\nGET / HTTP/1.1\r\n" H "\r\n", BARE_LF),
  ROW("bare CR after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", BARE_CR),
  ROW("bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", BARE_CR),
  ROW("CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", BARE_CR),
  ROW("CR before a name", "GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", BARE_CR),
  ROW("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", NUL),
  ROW("NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", NUL),
  ROW("NUL in the target", "GET /\0 HTTP/1.1\r\n" H "\r\n", NUL),
  ROW("vertical tab in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\v: b\r\n\r\n", CONTROL_CHAR),
  ROW("vertical tab before chunked", POST "Transfer-Encoding:\vchunked\r\n\r\n", CONTROL_CHAR),
  ROW("form feed in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\fc\r\n\r\n", CONTROL_CHAR),
  ROW("DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\177c\r\n\r\n", CONTROL_CHAR),
  ROW("escape sequence in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \033[31m\r\n\r\n",
      CONTROL_CHAR),
  ROW("TLS hello on a plain port", "\026\003\001\002\000\001\000\001", CONTROL_CHAR),
  /* Lines. */
  ROW("obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", OBS_FOLD),
  ROW("obs-fold by tab", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", OBS_FOLD),
  ROW("obs-fold that is blank", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n \r\n\r\n", OBS_FOLD),
  ROW("leading space line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", LEADING_SPACE),
  ROW("leading tab line", "GET / HTTP/1.1\r\n\tHost: a\r\nHost: a\r\n\r\n", LEADING_SPACE),
  ROW("space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", SPACE_BEFORE_COLON),
  ROW("tab before colon", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", SPACE_BEFORE_COLON),
  ROW("space in a name", "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", SPACE_BEFORE_COLON),
  ROW("empty name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", FIELD_NAME),
  ROW("non-token name", "GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", FIELD_NAME),
  ROW("byte over 0x7f in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: b\r\n\r\n", FIELD_NAME),
  ROW("quoted name", "GET / HTTP/1.1\r\nHost: a\r\n\"X\": b\r\n\r\n", FIELD_NAME),
  ROW("no colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", NO_COLON),
  ROW("three CRLFs before the request", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", LEADING_CRLF),
  /* Request line. */
  ROW("garbage", "GARBAGE\r\n\r\n", METHOD),
  ROW("leading space before the method", " GET / HTTP/1.1\r\n" H "\r\n", METHOD),
  ROW("method with a separator", "GE(T / HTTP/1.1\r\n" H "\r\n", METHOD),
  ROW("method over 32 bytes", "AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\n" H "\r\n",
      METHOD_TOO_LONG),
  ROW("two spaces before the target", "GET  / HTTP/1.1\r\n" H "\r\n", START_LINE),
  ROW("two spaces before the version", "GET /  HTTP/1.1\r\n" H "\r\n", VERSION),
  ROW("tab between method and target", "GET\t/ HTTP/1.1\r\n" H "\r\n", METHOD),
  ROW("tab before the version", "GET /\tHTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("space after the version", "GET / HTTP/1.1 \r\n" H "\r\n", VERSION),
  ROW("space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", VERSION),
  ROW("HTTP/0.9", "GET /\r\n\r\n", HTTP_09),
  ROW("version in lower case", "GET / http/1.1\r\n" H "\r\n", VERSION),
  ROW("version without minor", "GET / HTTP/1\r\n" H "\r\n", VERSION),
  ROW("version with two digits", "GET / HTTP/1.10\r\n" H "\r\n", VERSION),
  ROW("version with a sign", "GET / HTTP/+1.1\r\n" H "\r\n", VERSION),
  ROW("HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", VERSION_UNSUPPORTED),
  ROW("HTTP/0.1", "GET / HTTP/0.1\r\n" H "\r\n", VERSION_UNSUPPORTED),
  ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", H2_PREFACE),
  ROW("PRI with HTTP/1.1", "PRI * HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", CONNECT),
  ROW("asterisk for GET", "GET * HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("target without slash", "GET a HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("authority-form for GET", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", TARGET),
  ROW("absolute-form with another scheme", "GET ftp://a/ HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("absolute-form without authority", "GET http:///x HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("absolute-form with user info", "GET http://u@a/ HTTP/1.1\r\n" H "\r\n", TARGET),
  ROW("absolute-form unlike Host", "GET http://b/ HTTP/1.1\r\n" H "\r\n", HOST_MISMATCH),
  ROW("fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", FRAGMENT),
  ROW("byte over 0x7f in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", TARGET),
  /* Paths (V-78). */
  ROW("path with ..", "GET /a/../b HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with . at the end", "GET /a/. HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with %2e%2e", "GET /%2e%2E/b HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with .%2e", "GET /.%2e/b HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with ..%2f", "GET /a/..%2fb HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with %00", "GET /a%00b HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with %0d%0a", "GET /a%0d%0aX HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with backslash", "GET /a\\b HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path with %5c", "GET /a%5cb HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("path encoded twice", "GET /%252e%252e/ HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("overlong UTF-8 in a path", "GET /%c0%ae%c0%ae/ HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("half an escape", "GET /a%2 HTTP/1.1\r\n" H "\r\n", PATH),
  ROW("escape of no number", "GET /a%zz HTTP/1.1\r\n" H "\r\n", PATH),
  /* Host. */
  ROW("missing Host", "GET / HTTP/1.1\r\n\r\n", NO_HOST),
  ROW("duplicate Host", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", MANY_HOSTS),
  ROW("duplicate Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", MANY_HOSTS),
  ROW("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HOST),
  ROW("Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST),
  ROW("Host with user info", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST),
  ROW("Host that is a list", "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", HOST),
  /* Content-Length (V-70). */
  ROW("CL and TE", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      CL_AND_TE),
  ROW("TE and CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
      CL_AND_TE),
  ROW("CL and unknown TE", POST "Transfer-Encoding: x\r\nContent-Length: 3\r\n\r\n", CL_AND_TE),
  ROW("CL twice, equal", POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", CL_DUPLICATE),
  ROW("CL twice, different", POST "Content-Length: 2\r\ncontent-length: 3\r\n\r\n{}", CL_DUPLICATE),
  ROW("CL list", POST "Content-Length: 5, 5\r\n\r\nhello", CL_INVALID),
  ROW("CL with a plus", POST "Content-Length: +5\r\n\r\nhello", CL_INVALID),
  ROW("CL with a minus", POST "Content-Length: -5\r\n\r\nhello", CL_INVALID),
  ROW("CL in hexadecimal", POST "Content-Length: 0x5\r\n\r\nhello", CL_INVALID),
  ROW("CL with an inner space", POST "Content-Length: 1 0\r\n\r\nhello", CL_INVALID),
  ROW("CL empty", POST "Content-Length: \r\n\r\n", CL_INVALID),
  ROW("CL with a point", POST "Content-Length: 5.0\r\n\r\nhello", CL_INVALID),
  ROW("CL of letters", POST "Content-Length: x\r\n\r\n", CL_INVALID),
  ROW("CL is 2^63", POST "Content-Length: 9223372036854775808\r\n\r\n", CL_INVALID),
  ROW("CL over 2^64", POST "Content-Length: 18446744073709551617\r\n\r\n", CL_INVALID),
  ROW("CL of 30 digits", POST "Content-Length: 000000000000000000000000000005\r\n\r\nhello",
      CL_INVALID),
  /* Transfer-Encoding (V-72). */
  ROW("TE twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      TE_DUPLICATE),
  ROW("TE twice, different", POST "Transfer-Encoding: chunked\r\ntransfer-encoding: x\r\n\r\n",
      TE_DUPLICATE),
  ROW("TE chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n", TE_INVALID),
  ROW("TE chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", TE_INVALID),
  ROW("TE chunked with a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", TE_INVALID),
  ROW("TE quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", TE_INVALID),
  ROW("TE empty", POST "Transfer-Encoding:\r\n\r\n", TE_INVALID),
  ROW("TE with an empty element", POST "Transfer-Encoding: ,chunked\r\n\r\n", TE_INVALID),
  ROW("TE unknown", POST "Transfer-Encoding: xchunked\r\n\r\n", TE_UNKNOWN),
  ROW("TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", TE_UNKNOWN),
  ROW("TE identity", POST "Transfer-Encoding: identity\r\n\r\n", TE_UNKNOWN),
  ROW("TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      TE_IN_HTTP_10),
  /* Chunks (V-73). */
  ROW("chunk size over 2^64", CHUNKED "10000000000000000\r\n", CHUNK_SIZE),
  ROW("chunk size over 2^63", CHUNKED "ffffffffffffffff\r\n", CHUNK_SIZE),
  ROW("chunk size of many zeros", CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size with a plus", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size with a minus", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size with a leading space", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size with a trailing space", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size empty", CHUNKED "\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
  ROW("chunk size empty before an extension", CHUNKED ";a=b\r\n", CHUNK_SIZE),
  ROW("chunk size ended by LF only", CHUNKED "5\nhello\r\n0\r\n\r\n", BARE_LF),
  ROW("chunk size with NUL", CHUNKED "5\0\r\n", NUL),
  ROW("chunk size with CR only", CHUNKED "5\rhello", BARE_CR),
  ROW("LF in a chunk extension", CHUNKED "5;a\nb\r\nhello\r\n", BARE_LF),
  ROW("CR in a chunk extension", CHUNKED "5;a\rb\r\nhello\r\n", BARE_CR),
  ROW("NUL in a chunk extension", CHUNKED "5;a\0b\r\nhello\r\n", NUL),
  ROW("control character in a chunk extension", CHUNKED "5;a\001b\r\nhello\r\n", CONTROL_CHAR),
  ROW("missing CRLF after a chunk", CHUNKED "5\r\nhello0\r\n\r\n", CHUNK_END),
  ROW("LF only after a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n", CHUNK_END),
  ROW("CR only after a chunk", CHUNKED "5\r\nhello\r0\r\n\r\n", CHUNK_END),
  ROW("longer data than the chunk", CHUNKED "2\r\nhello\r\n0\r\n\r\n", CHUNK_END),
  ROW("trailer without name", CHUNKED "0\r\n: x\r\n\r\n", TRAILER),
  ROW("trailer without colon", CHUNKED "0\r\nfoo\r\n\r\n", TRAILER),
  ROW("trailer with a space before the colon", CHUNKED "0\r\nfoo : x\r\n\r\n", TRAILER),
  ROW("trailer that folds", CHUNKED "0\r\nfoo: x\r\n y\r\n\r\n", TRAILER),
  ROW("LF in a trailer", CHUNKED "0\r\nfoo: x\n\r\n", BARE_LF),
  ROW("CR in a trailer", CHUNKED "0\r\nfoo: x\ry\r\n\r\n", BARE_CR),
  ROW("NUL in a trailer", CHUNKED "0\r\nfoo: \0\r\n\r\n", NUL),
  ROW("request after the last chunk without CRLF", CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n", TRAILER),
  /* The rest. */
  ROW("Expect that is not known", POST "Content-Length: 2\r\nExpect: 200-ok\r\n\r\n", EXPECT),
  ROW("Expect twice", POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", EXPECT),
  ROW("Expect obfuscated", POST "Content-Length: 2\r\nExpect: 100-continue, x\r\n\r\n", EXPECT),
  ROW("Connection that is not a list of tokens", POST "Connection: a b\r\n\r\n", CONNECTION),
  ROW("many Connection options",
      POST "Connection: 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3\r\n\r\n",
      CONNECTION),
  ROW("second request of a connection", "GET / HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n\r\n",
      NO_HOST),
  ROW("smuggled after a body", POST "Content-Length: 2\r\n\r\n{}\0", NUL),
};

static const struct row answers[] = {
  ROW("answer: CL and TE",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", CL_AND_TE),
  ROW("answer: CL twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
      CL_DUPLICATE),
  ROW("answer: CL signed", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", CL_INVALID),
  ROW("answer: TE unknown", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", TE_UNKNOWN),
  ROW("answer: TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      TE_IN_HTTP_10),
  ROW("answer: bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", BARE_LF),
  ROW("answer: bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", BARE_CR),
  ROW("answer: NUL in a value", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", NUL),
  ROW("answer: obs-fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", OBS_FOLD),
  ROW("answer: space before colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", SPACE_BEFORE_COLON),
  ROW("answer: empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", START_LINE),
  ROW("answer: not HTTP", "ICY 200 OK\r\n\r\n", START_LINE),
  ROW("answer: garbage", "garbage without meaning\r\n\r\n", START_LINE),
  ROW("answer: HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", VERSION_UNSUPPORTED),
  ROW("answer: HTTP/2", "HTTP/2 200 OK\r\n\r\n", VERSION),
  ROW("answer: status of two digits", "HTTP/1.1 20 OK\r\n\r\n", STATUS),
  ROW("answer: status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", STATUS),
  ROW("answer: status 099", "HTTP/1.1 099 X\r\n\r\n", STATUS),
  ROW("answer: status 600", "HTTP/1.1 600 X\r\n\r\n", STATUS),
  ROW("answer: signed status", "HTTP/1.1 +20 OK\r\n\r\n", STATUS),
  ROW("answer: early 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", SWITCHED),
  ROW("answer: bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      CHUNK_SIZE),
  ROW("answer: bytes after its end",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n", UNSOLICITED),
  ROW("answer: 304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}",
      UNSOLICITED),
  ROW("answer: nine 1xx",
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
      "HTTP/1.1 100 C\r\n\r\n",
      TOO_MANY_INTERIM),
};

static const struct ocf_h1_limits limits = OCF_H1_LIMITS_DEFAULT;

struct run {
  const struct row *row;
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct ocf_h1_server s;
  struct ocf_h1_client c;
  bool to_client;
};

static void begin(void *ctx)
{
  struct run *r = ctx;

  ocf_h1_pool_init(&r->pool, &r->a, 1);
  ocf_h1_server_init(&r->s, &r->pool, &limits);
  ocf_h1_client_init(&r->c, &r->pool, &limits);
  r->to_client = r->row >= answers && r->row < answers + OCF_ARRAY_LEN(answers);
  assert_int_equal(ocf_h1_client_start(&r->c, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0), 0);
}

/* Answers every complete request at once, so that the next is read. */
static void answer(struct run *r)
{
  struct ocf_h1_rewrite rw = { 0 };
  struct ocf_h1_frame f;

  assert_int_equal(ocf_h1_server_respond(&r->s, 204, OCF_H1_FRAMING_NONE, 0, &rw), 0);
  assert_int_equal(ocf_h1_server_end(&r->s, &f), 0);
}

static int feed(void *ctx, const uint8_t *p, size_t n)
{
  struct run *r = ctx;
  struct ocf_bytes data;
  size_t used;

  for (;;) {
    const enum ocf_h1_event ev = r->to_client ? ocf_h1_client_input(&r->c, p, n, &used, &data)
                                              : ocf_h1_server_input(&r->s, p, n, &used, &data);
    p += used;
    n -= used;
    if (ev == OCF_H1_EV_END && !r->to_client)
      answer(r);
    if (ev == OCF_H1_EV_ERROR)
      return OCF_EPROTO;
    assert_int_not_equal(ev, OCF_H1_EV_CLOSE);
    if (ev == OCF_H1_EV_MORE)
      return 0;
  }
}

static void end(void *ctx, int err)
{
  struct run *r = ctx;
  struct ocf_bytes data;
  size_t used;
  const enum ocf_h1_error got = r->to_client ? r->c.error : r->s.error;

  if (err != OCF_EPROTO || got != r->row->want)
    fail_msg("%s: got %s, want %s", r->row->name, ocf_h1_error_name(got),
             ocf_h1_error_name(r->row->want));
  const uint8_t *good = (const uint8_t *)"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const enum ocf_h1_event ev = r->to_client ? ocf_h1_client_input(&r->c, good, 27, &used, &data)
                                            : ocf_h1_server_input(&r->s, good, 27, &used, &data);
  assert_int_equal(ev, OCF_H1_EV_CLOSE);
  ocf_h1_server_fini(&r->s);
  ocf_h1_client_fini(&r->c);
  ocf_h1_pool_fini(&r->pool);
}

static void test_is_refused_in_every_split(void **state)
{
  struct run r = { .row = *state };
  const struct ocf_split split = { .ctx = &r, .begin = begin, .feed = feed, .end = end };

  ocf_alloc_init(&r.a);
  ocf_split_sweep(&split, r.row->in.p, r.row->in.n);
  assert_int_equal(r.a.live_bytes, 0);
}

int main(void)
{
  enum { N = OCF_ARRAY_LEN(requests) + OCF_ARRAY_LEN(answers) };
  static struct CMUnitTest tests[N];
  union {
    const struct row *row;
    void *p;
  } u;

  for (size_t i = 0; i < N; i++) {
    u.row = i < OCF_ARRAY_LEN(requests) ? &requests[i] : &answers[i - OCF_ARRAY_LEN(requests)];
    tests[i] = (struct CMUnitTest){ u.row->name, test_is_refused_in_every_split, NULL, NULL, u.p };
  }
  return _cmocka_run_group_tests("strict", tests, N, NULL, NULL);
}
