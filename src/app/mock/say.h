/* The mock's answers as bytes: JSON objects and server-sent events in the forms of the OpenAI API.
 *
 * Everything appends to `out`: 0, OCF_ELIMIT or OCF_ENOMEM, and then nothing was appended. No I/O;
 * embeddings use static memory, so one thread at a time. */
#ifndef OCF_APP_MOCK_SAY_H
#define OCF_APP_MOCK_SAY_H

#include "app/mock/ask.h"
#include "base/buf/buf.h"
#include "base/core/core.h"

enum { OCF_MOCK_ID_SIZE = 40 }; /* "chatcmpl-" and 29 letters and digits, NUL included */

/* What one answer's parts have in common. Views are borrowed for each call. */
struct ocf_mock_answer {
  enum ocf_mock_kind kind;
  const char *id, *model;
  uint64_t created_s; /* unix time */
  bool include_usage;
};

struct ocf_mock_usage {
  uint64_t prompt_tokens, completion_tokens;
};

/* Makes "chatcmpl-…" or "cmpl-…" from 29 (of 256 values each) random bytes. */
void ocf_mock_say_id(enum ocf_mock_kind kind, const uint8_t rnd[29], char dst[OCF_MOCK_ID_SIZE]);

/* Stream events, each whole with its blank line, in the order in which a stream has them. */
OCF_NODISCARD int ocf_mock_say_role(struct ocf_buf *out, const struct ocf_mock_answer *a);
OCF_NODISCARD int ocf_mock_say_token(struct ocf_buf *out, const struct ocf_mock_answer *a,
                                     struct ocf_bytes text);
OCF_NODISCARD int ocf_mock_say_finish(struct ocf_buf *out, const struct ocf_mock_answer *a,
                                      const char *reason);
OCF_NODISCARD int ocf_mock_say_stream_usage(struct ocf_buf *out, const struct ocf_mock_answer *a,
                                            const struct ocf_mock_usage *u);
OCF_NODISCARD int ocf_mock_say_done(struct ocf_buf *out);

/* Whole answers. */
OCF_NODISCARD int ocf_mock_say_whole(struct ocf_buf *out, const struct ocf_mock_answer *a,
                                     struct ocf_bytes text, const char *reason,
                                     const struct ocf_mock_usage *u);
OCF_NODISCARD int ocf_mock_say_embeddings(struct ocf_buf *out, const char *model,
                                          const struct ocf_mock_ask *ask);
OCF_NODISCARD int ocf_mock_say_model(struct ocf_buf *out, const char *model, uint64_t created_s);
OCF_NODISCARD int ocf_mock_say_models(struct ocf_buf *out, const char *const *models, size_t n,
                                      uint64_t created_s);

#endif
