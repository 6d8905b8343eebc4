/* HTTP/1.1 message heads: strict, incremental, without I/O (RFC 9110, RFC 9112).
 *
 * A head is gathered as one contiguous range of bytes: ocf_h1_scan_head() finds where it ends while
 * bytes still arrive, then ocf_h1_parse_request() or ocf_h1_parse_response() reads it once,
 * straight through. Whatever two HTTP implementations are known to read differently is refused, not
 * repaired, and how the body is framed is decided here, only here, from the parsed form. server.h
 * and client.h are the machines for whole connections; most users need those and the accessors
 * below.
 *
 * Pure functions over the caller's memory: no state, no allocation, safe from any thread. */
#ifndef OCF_HTTP_H1_H1_H
#define OCF_HTTP_H1_H1_H

#include "base/core/core.h"

/* Bounds on what a peer may send. All of them are options of the owner; zeroes are not filled in,
 * so start from OCF_H1_LIMITS_DEFAULT. Values above the hard caps below are cut to them. */
struct ocf_h1_limits {
  uint32_t head_bytes_max;      /* start line, fields and both final CRLFs; hard cap 65,535 */
  uint32_t fields_max;          /* field lines in a head; hard cap OCF_H1_FIELDS_MAX */
  uint32_t target_bytes_max;    /* request target */
  uint32_t cookies_max;         /* cookie pairs in all Cookie fields together */
  uint32_t query_params_max;    /* parameters in the query, split at '&' and ';' */
  uint32_t chunk_ext_bytes_max; /* extension bytes of one chunk; 64 times that in a whole body */
  uint32_t trailer_bytes_max;   /* trailer section of a chunked body */
  uint32_t interim_max;         /* client: 1xx answers before the final one */
  uint64_t drain_bytes_max; /* server: unread request body that is read away to keep a connection */
  uint64_t body_bytes_max;  /* server: request body; 0 = unlimited (bodies are never buffered) */
};

#define OCF_H1_LIMITS_DEFAULT                                                                      \
  {                                                                                                \
    .head_bytes_max = 32768, .fields_max = 100, .target_bytes_max = 8192, .cookies_max = 64,       \
    .query_params_max = 256, .chunk_ext_bytes_max = 256, .trailer_bytes_max = 8192,                \
    .interim_max = 8, .drain_bytes_max = 65536, .body_bytes_max = 0                                \
  }

enum { OCF_H1_FIELDS_MAX = 128, OCF_H1_HEAD_BYTES_CAP = 65535, OCF_H1_METHOD_BYTES_MAX = 32 };

/* What can be wrong: X(enumerator, status that a server answers with, machine code). After any of
 * them the connection is closed. A client of ours that meets one answers 502 to its own caller. */
#define OCF_H1_ERRORS(X)                                                                           \
  X(BARE_LF, 400, "bare_lf")                                                                       \
  X(BARE_CR, 400, "bare_cr")                                                                       \
  X(NUL, 400, "nul")                                                                               \
  X(CONTROL_CHAR, 400, "control_char")                                                             \
  X(START_LINE, 400, "bad_start_line")                                                             \
  X(LEADING_CRLF, 400, "too_many_leading_crlf")                                                    \
  X(LEADING_SPACE, 400, "leading_whitespace")                                                      \
  X(OBS_FOLD, 400, "obs_fold")                                                                     \
  X(SPACE_BEFORE_COLON, 400, "space_before_colon")                                                 \
  X(FIELD_NAME, 400, "bad_field_name")                                                             \
  X(NO_COLON, 400, "no_colon")                                                                     \
  X(METHOD, 400, "bad_method")                                                                     \
  X(METHOD_TOO_LONG, 501, "method_too_long")                                                       \
  X(CONNECT, 501, "connect_refused")                                                               \
  X(VERSION, 400, "bad_version")                                                                   \
  X(VERSION_UNSUPPORTED, 505, "version_unsupported")                                               \
  X(HTTP_09, 505, "http_0_9")                                                                      \
  X(H2_PREFACE, 505, "h2_preface")                                                                 \
  X(TARGET, 400, "bad_target")                                                                     \
  X(FRAGMENT, 400, "fragment_in_target")                                                           \
  X(PATH, 400, "bad_path")                                                                         \
  X(TARGET_TOO_LONG, 414, "target_too_long")                                                       \
  X(TOO_MANY_PARAMS, 414, "too_many_query_parameters")                                             \
  X(HEAD_TOO_LARGE, 431, "head_too_large")                                                         \
  X(TOO_MANY_FIELDS, 431, "too_many_fields")                                                       \
  X(TOO_MANY_COOKIES, 431, "too_many_cookies")                                                     \
  X(NO_HOST, 400, "host_missing")                                                                  \
  X(MANY_HOSTS, 400, "host_duplicate")                                                             \
  X(HOST, 400, "bad_host")                                                                         \
  X(HOST_MISMATCH, 400, "host_mismatch")                                                           \
  X(CL_AND_TE, 400, "cl_and_te")                                                                   \
  X(CL_DUPLICATE, 400, "cl_duplicate")                                                             \
  X(CL_INVALID, 400, "cl_invalid")                                                                 \
  X(TE_DUPLICATE, 400, "te_duplicate")                                                             \
  X(TE_INVALID, 400, "te_invalid")                                                                 \
  X(TE_UNKNOWN, 501, "te_unknown")                                                                 \
  X(TE_IN_HTTP_10, 400, "te_in_http_1_0")                                                          \
  X(CONNECTION, 400, "bad_connection_field")                                                       \
  X(EXPECT, 417, "expectation_failed")                                                             \
  X(CHUNK_SIZE, 400, "bad_chunk_size")                                                             \
  X(CHUNK_EXT, 400, "chunk_extension_too_long")                                                    \
  X(CHUNK_END, 400, "chunk_without_crlf")                                                          \
  X(TRAILER, 400, "bad_trailer")                                                                   \
  X(TRAILER_TOO_LARGE, 431, "trailer_too_large")                                                   \
  X(BODY_TOO_LARGE, 413, "body_too_large")                                                         \
  X(TRUNCATED, 400, "truncated")                                                                   \
  X(STATUS, 502, "bad_status")                                                                     \
  X(SWITCHED, 502, "unexpected_101")                                                               \
  X(TOO_MANY_INTERIM, 502, "too_many_interim_answers")                                             \
  X(UNSOLICITED, 502, "unsolicited_bytes")                                                         \
  X(NO_MEMORY, 503, "out_of_memory")

enum ocf_h1_error {
  OCF_H1_E_NONE = 0,
#define X(name, status, code) OCF_H1_E_##name,
  OCF_H1_ERRORS(X)
#undef X
      OCF_H1_E_COUNT
};

/* The status a server answers with, 400..505; 500 for OCF_H1_E_NONE or an unknown value. */
unsigned ocf_h1_error_status(enum ocf_h1_error e);
/* The machine code, such as "bare_lf"; "none" and "unknown" outside the list. Never NULL. */
const char *ocf_h1_error_name(enum ocf_h1_error e);

/* The standard reason phrase of `status`; "Unknown" when it has none. Never NULL. */
const char *ocf_h1_reason(unsigned status);

#define OCF_H1_METHODS(X)                                                                          \
  X(GET)                                                                                           \
  X(HEAD)                                                                                          \
  X(POST)                                                                                          \
  X(PUT)                                                                                           \
  X(DELETE)                                                                                        \
  X(OPTIONS)                                                                                       \
  X(PATCH)                                                                                         \
  X(TRACE)                                                                                         \
  X(CONNECT)

enum ocf_h1_method {
  OCF_H1_OTHER = 0, /* a valid token that is none of these; names are case-sensitive */
#define X(name) OCF_H1_##name,
  OCF_H1_METHODS(X)
#undef X
      OCF_H1_METHOD_COUNT
};

/* "GET" …; "OTHER" for OCF_H1_OTHER. Never NULL. */
const char *ocf_h1_method_name(enum ocf_h1_method m);
enum ocf_h1_method ocf_h1_method_find(struct ocf_bytes name);
/* True where RFC 9110 section 9.2.2 lets a request be repeated without asking. */
bool ocf_h1_method_idempotent(enum ocf_h1_method m);

/* Fields that a proxy has to know: X(enumerator, name, first letter, last letter, kind), the two
 * letters in lower case. At most 63, so that sets of them are bits of one word. Kinds:
 *   HOP     between two neighbours only; never forwarded
 *   FRAME   framing; never copied, always written anew
 *   PINNED  forwarded even when Connection names it: a client must not make us drop the fields that
 *           say who it is, where the request goes or how to read it (V-76, V-77)
 *   END     end to end, an ordinary field */
#define OCF_H1_KNOWN(X)                                                                            \
  X(HOST, "Host", 'h', 't', PINNED)                                                                \
  X(CONTENT_LENGTH, "Content-Length", 'c', 'h', FRAME)                                             \
  X(TRANSFER_ENCODING, "Transfer-Encoding", 't', 'g', FRAME)                                       \
  X(CONNECTION, "Connection", 'c', 'n', HOP)                                                       \
  X(EXPECT, "Expect", 'e', 't', HOP)                                                               \
  X(UPGRADE, "Upgrade", 'u', 'e', HOP)                                                             \
  X(TE, "TE", 't', 'e', HOP)                                                                       \
  X(TRAILER, "Trailer", 't', 'r', HOP)                                                             \
  X(KEEP_ALIVE, "Keep-Alive", 'k', 'e', HOP)                                                       \
  X(PROXY_CONNECTION, "Proxy-Connection", 'p', 'n', HOP)                                           \
  X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 'p', 'e', HOP)                                       \
  X(PROXY_AUTHORIZATION, "Proxy-Authorization", 'p', 'n', HOP)                                     \
  X(HTTP2_SETTINGS, "HTTP2-Settings", 'h', 's', HOP)                                               \
  X(CONTENT_TYPE, "Content-Type", 'c', 'e', PINNED)                                                \
  X(CONTENT_ENCODING, "Content-Encoding", 'c', 'g', PINNED)                                        \
  X(X_REQUEST_ID, "X-Request-Id", 'x', 'd', PINNED)                                                \
  X(TRACEPARENT, "traceparent", 't', 't', PINNED)                                                  \
  X(TRACESTATE, "tracestate", 't', 'e', PINNED)                                                    \
  X(FORWARDED, "Forwarded", 'f', 'd', PINNED)                                                      \
  X(X_FORWARDED_FOR, "X-Forwarded-For", 'x', 'r', PINNED)                                          \
  X(X_FORWARDED_HOST, "X-Forwarded-Host", 'x', 't', PINNED)                                        \
  X(X_FORWARDED_PROTO, "X-Forwarded-Proto", 'x', 'o', PINNED)                                      \
  X(X_REAL_IP, "X-Real-IP", 'x', 'p', PINNED)                                                      \
  X(VIA, "Via", 'v', 'a', PINNED)                                                                  \
  X(X_COMPUTING_NODE, "X-Computing-Node", 'x', 'e', PINNED)                                        \
  X(X_OTELA_REQUEST_ID, "X-Otela-Request-Id", 'x', 'd', PINNED)                                    \
  X(AUTHORIZATION, "Authorization", 'a', 'n', PINNED)                                              \
  X(X_API_KEY, "X-Api-Key", 'x', 'y', PINNED)                                                      \
  X(COOKIE, "Cookie", 'c', 'e', PINNED)                                                            \
  X(SET_COOKIE, "Set-Cookie", 's', 'e', PINNED)                                                    \
  X(ACCEPT, "Accept", 'a', 't', END)                                                               \
  X(ACCEPT_ENCODING, "Accept-Encoding", 'a', 'g', END)                                             \
  X(USER_AGENT, "User-Agent", 'u', 't', END)                                                       \
  X(ORIGIN, "Origin", 'o', 'n', END)                                                               \
  X(RANGE, "Range", 'r', 'e', END)                                                                 \
  X(LAST_EVENT_ID, "Last-Event-ID", 'l', 'd', END)                                                 \
  X(CACHE_CONTROL, "Cache-Control", 'c', 'l', END)                                                 \
  X(DATE, "Date", 'd', 'e', END)                                                                   \
  X(SERVER, "Server", 's', 'r', END)                                                               \
  X(LOCATION, "Location", 'l', 'n', END)                                                           \
  X(RETRY_AFTER, "Retry-After", 'r', 'r', END)                                                     \
  X(ALLOW, "Allow", 'a', 'w', END)                                                                 \
  X(ACAO, "Access-Control-Allow-Origin", 'a', 'n', END)

enum ocf_h1_field_id {
  OCF_H1_F_UNKNOWN = 0,
#define X(name, text, first, last, kind) OCF_H1_F_##name,
  OCF_H1_KNOWN(X)
#undef X
  /* A known name written with '_' for '-', as CGI-like back ends would misread it: never forwarded.
   */
  OCF_H1_F_SHADOW,
  OCF_H1_F_COUNT
};

/* The name in its usual spelling; "" for UNKNOWN and SHADOW. Never NULL. */
const char *ocf_h1_field_name(enum ocf_h1_field_id id);
/* Case-insensitive, by perfect hash. `name` must be a token (RFC 9110 section 5.6.2). */
enum ocf_h1_field_id ocf_h1_field_find(struct ocf_bytes name);
/* ASCII case-insensitive equality. */
bool ocf_h1_eq_nocase(struct ocf_bytes a, struct ocf_bytes b);

enum ocf_h1_framing {
  OCF_H1_FRAMING_NONE,   /* no body and no framing field */
  OCF_H1_FRAMING_LENGTH, /* Content-Length, 0 included */
  OCF_H1_FRAMING_CHUNKED,
  OCF_H1_FRAMING_CLOSE, /* answers only: until the connection closes */
};

/* One field line; offsets into head.base. Use ocf_h1_name() and ocf_h1_value(). */
struct ocf_h1_field {
  uint16_t name_off, name_n, value_off, value_n; /* the value is without outer whitespace */
  uint8_t id;                                    /* enum ocf_h1_field_id */
  bool hop; /* not to be forwarded: kind HOP or FRAME, SHADOW, or named by Connection */
};

/* A parsed head. All views point into the bytes that were parsed and live as long as those. */
struct ocf_h1_head {
  const uint8_t *base;
  size_t n; /* bytes of the head at `base` */
  enum ocf_h1_error error;

  /* Requests. */
  enum ocf_h1_method method;
  struct ocf_bytes method_text;
  struct ocf_bytes target; /* as sent */
  struct ocf_bytes path;   /* begins with '/' and has passed ocf_h1_path_check(), or is "*"; still
                              percent-encoded: see path.h before comparing it */
  struct ocf_bytes query;  /* without '?'; p is NULL when there is no '?' */
  struct ocf_bytes
      host; /* Host, or the authority of an absolute-form target (the same); may be empty.
               A client chooses it freely: it must never select what is dialled (V-80) */
  bool expect_continue; /* Expect: 100-continue, and a body is announced */
  bool upgrade; /* Connection: upgrade with an Upgrade field; to be ignored or refused by the owner
                 */

  /* Answers. */
  uint16_t status; /* 100..599; 0 in a request */
  struct ocf_bytes reason;

  /* Both. */
  uint8_t minor; /* 0 or 1: 1.2 and later are read as 1.1 (RFC 9110 section 2.5) */
  bool keep_alive;
  bool
      has_length; /* a Content-Length field was there (it may be there without a body: HEAD, 304) */
  uint64_t content_length; /* its value, <= INT64_MAX */
  enum ocf_h1_framing framing;
  uint64_t seen; /* bit i: a field with id i is there */
  uint16_t n_fields;
  struct ocf_h1_field fields[OCF_H1_FIELDS_MAX];
};

static inline struct ocf_bytes ocf_h1_name(const struct ocf_h1_head *h, size_t i)
{
  return ocf_bytes(h->base + h->fields[i].name_off, h->fields[i].name_n);
}

static inline struct ocf_bytes ocf_h1_value(const struct ocf_h1_head *h, size_t i)
{
  return ocf_bytes(h->base + h->fields[i].value_off, h->fields[i].value_n);
}

static inline bool ocf_h1_has(const struct ocf_h1_head *h, enum ocf_h1_field_id id)
{
  return (h->seen >> id & 1) != 0;
}

/* The value of the first field `id`; { NULL, 0 } when there is none. */
struct ocf_bytes ocf_h1_get(const struct ocf_h1_head *h, enum ocf_h1_field_id id);
/* As ocf_h1_get, for fields on which something is decided: 0 with `*out` set, OCF_ENOENT when there
 * is none, OCF_EPROTO when there are several (`*out` untouched): two readers may pick differently.
 */
OCF_NODISCARD int ocf_h1_get_one(const struct ocf_h1_head *h, enum ocf_h1_field_id id,
                                 struct ocf_bytes *out);
/* The value of the first field of that name, known or not, case-insensitive. */
struct ocf_bytes ocf_h1_get_name(const struct ocf_h1_head *h, struct ocf_bytes name);
/* True when the comma-separated `list` has the element `token`, case-insensitive. */
bool ocf_h1_list_has(struct ocf_bytes list, struct ocf_bytes token);

/* Where a search for the end of a head stands. Zero it before a new head. */
struct ocf_h1_scan {
  uint32_t pos;     /* bytes looked at */
  uint32_t line;    /* where the current line begins */
  uint32_t begin;   /* where the start line begins: after the CRLFs that may precede a request */
  uint32_t n_lines; /* complete lines from the start line on */
  uint32_t end;     /* set on success: the head is p[begin..end) */
  enum ocf_h1_error error;
};

/* Looks for the end of a head in p[0..n). The same bytes, with more after them, are given on every
 * call for one head; they may have moved. Up to 2 CRLFs before the start line are skipped when
 * `request` is set. A bare LF, bare CR, NUL or other control character, and an overrun limit, are
 * seen as soon as their byte is there, not at the end of the head.
 * 0: complete. OCF_EAGAIN: no end yet. OCF_EPROTO: s->error says what is wrong; do not go on. */
OCF_NODISCARD int ocf_h1_scan_head(struct ocf_h1_scan *s, const uint8_t *p, size_t n, bool request,
                                   const struct ocf_h1_limits *lim);

/* Parses the complete head p[0..n), both final CRLFs included and nothing after them (what
 * ocf_h1_scan_head() delimits; any other bytes are refused, not undefined). Fills `h`; on failure
 * only h->error is meaningful. 0, or OCF_EPROTO with h->error set. The bytes are borrowed by `h`.
 *
 * Requests: origin-form; absolute-form with http or https, equal to Host; asterisk-form for OPTIONS
 * only; CONNECT is refused. */
OCF_NODISCARD int ocf_h1_parse_request(struct ocf_h1_head *h, const uint8_t *p, size_t n,
                                       const struct ocf_h1_limits *lim);
/* An answer to a request with method `to`: HEAD decides whether a body follows. 101 parses. */
OCF_NODISCARD int ocf_h1_parse_response(struct ocf_h1_head *h, const uint8_t *p, size_t n,
                                        enum ocf_h1_method to, const struct ocf_h1_limits *lim);

#endif
