/* Request bodies of the OpenAI API, as far as the mock honours them: JSON to a value.
 *
 * What a real server refuses is refused here with the same kind of error: wrong types, values out
 * of range, missing fields, a model that is not served. Fields without effect on a mock
 * (temperature, tools, …) are checked where the API gives a range and ignored otherwise; unknown
 * fields are ignored. Pure: no I/O, no state; memory from jansson, given back before the return. */
#ifndef OCF_APP_MOCK_ASK_H
#define OCF_APP_MOCK_ASK_H

#include "base/buf/buf.h"
#include "base/core/core.h"

enum ocf_mock_kind { OCF_MOCK_CHAT, OCF_MOCK_COMPLETION, OCF_MOCK_EMBEDDING };

enum {
  OCF_MOCK_PROMPT_BYTES_MAX = 120, /* what is kept of the prompt for the answer's text */
  OCF_MOCK_INPUTS_MAX = 2048,
  OCF_MOCK_DIMS_MAX = 4096,
  OCF_MOCK_DIMS_DEFAULT = 64,
  OCF_MOCK_JSON_DEPTH_MAX = 64,
};

/* One text to embed is known by its hash: equal texts give equal vectors. */
struct ocf_mock_ask {
  enum ocf_mock_kind kind;
  size_t model; /* index into the models that were given */
  bool stream;
  bool include_usage;  /* stream_options.include_usage */
  uint64_t max_tokens; /* 0: not given */
  uint64_t prompt_tokens;
  char prompt[OCF_MOCK_PROMPT_BYTES_MAX +
              1]; /* the last user message or the prompt: valid UTF-8, cut
                     between characters, control characters as spaces */
  size_t n_inputs, dims;
  bool base64;
  uint64_t *inputs; /* n_inputs hashes; owned: ocf_mock_ask_fini() */
};

/* Why a body was refused, for an answer in the API's error form. */
struct ocf_mock_refusal {
  unsigned status; /* 400 or 404 */
  char message[256];
  const char *type, *code; /* literals */
  char param[64];          /* "" = null */
};

/* Reads `body` (any bytes). 0 with `*out` filled; OCF_EINVAL with `*why` filled, or OCF_ENOMEM;
 * `*out` then holds nothing. jansson reports some failed allocations as bad JSON; they come out as
 * OCF_EINVAL. */
OCF_NODISCARD int ocf_mock_ask_parse(enum ocf_mock_kind kind, struct ocf_bytes body,
                                     const char *const *models, size_t n_models,
                                     struct ocf_mock_ask *out, struct ocf_mock_refusal *why);
void ocf_mock_ask_fini(struct ocf_mock_ask *ask);

#endif
