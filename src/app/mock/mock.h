/* `ocf mock-openai`: a service in the shape of the OpenAI API that computes nothing. `ocf dev`, the
 * end-to-end tests and the benchmarks put it behind a worker, where a model server would stand.
 *
 *   GET  /health                     200 {"status":"ok"}; another status after POST
 * /mock/health?status= GET  /v1/models[/{id}] POST /v1/chat/completions        whole or streamed,
 * with usage POST /v1/completions             likewise POST /v1/embeddings              floats or
 * base64 GET  /mock/stats                 counters: started, active, finished, cancelled, failed,
 * refused GET  /mock/bytes?n=              n bytes of a known pattern (text.h), at any length any
 * /mock/early                 answers before it has read the request body POST /mock/sink reads a
 * body of any length: {"bytes":n,"fnv1a64":"…"} POST /mock/health?status=        sets what /health
 * answers
 *
 * What it answers is a function of the request alone (text.h), so that a test can compute it,
 * except ids and times. The model routes and /mock/{bytes,early} misbehave on request: see knobs.h.
 * A client that closes its side before its answer is complete cancels the generation at once.
 *
 * It is a test service: it listens on a loopback address only, and has no authentication. Built on
 * the node's own parts (io/uv, node/chan, http/h1), one loop on the calling thread. */
#ifndef OCF_APP_MOCK_MOCK_H
#define OCF_APP_MOCK_MOCK_H

#include "base/core/core.h"
#include "base/core/err.h"

enum {
  OCF_MOCK_MODELS_MAX = 8,
  OCF_MOCK_MODEL_BYTES_MAX = 128,
  OCF_MOCK_BODY_BYTES_MAX = 4 << 20, /* of a request that is parsed; longer ones get 413 */
  OCF_MOCK_CONNS_MAX = 16384,
};

struct ocf_mock_options {
  const char *host; /* a loopback address */
  uint16_t port;    /* 0: any */
  const char *models[OCF_MOCK_MODELS_MAX];
  size_t n_models;               /* at least 1; the first is the default */
  uint64_t first_token_delay_ns; /* from the request's end to the first token */
  uint64_t token_delay_ns;       /* between two tokens */
  bool quiet;                    /* no line per request */
};

/* Reads the flags --host, --port, --model (repeatable), --first-token-delay, --token-delay and
 * --quiet into `o`, which gets its defaults first (127.0.0.1, any port, tiny-mock, 20ms, 20ms).
 * Borrows `args` for the life of `o`. 0, or OCF_EINVAL with `err` filled. */
OCF_NODISCARD int ocf_mock_options_parse(struct ocf_mock_options *o, const char *const *args,
                                         size_t n_args, struct ocf_err *err);

/* Serves until SIGTERM or SIGINT, then ends at once. On standard output, one JSON object a line:
 *   {"event":"ready","http":"http://127.0.0.1:PORT","model":"tiny-mock","pid":1}
 *   {"event":"request","id":"…","method":"POST","path":"/v1/chat/completions","status":200,
 *    "outcome":"finished|cancelled|failed","model":"tiny-mock","stream":true,"prompt_tokens":9,
 *    "completion_tokens":42,"first_token_ms":20.1,"ms":861.0,"tokens_per_s":48.8}
 * the second kind for each ended request to a model route, unless quiet; the line is dropped rather
 * than waited for when the reader is slow. 0 after an orderly end, else `err` says why. */
int ocf_mock_run(const struct ocf_mock_options *o, struct ocf_err *err);

/* The command: `args` are what follows `mock-openai`. Returns the exit status: 0, 1 when it could
 * not serve, 2 for bad usage (said on standard error). "--help" prints the usage and returns 0. */
int ocf_mock_main(const char *const *args, size_t n_args);

#endif
