/* Any bytes as a request body: what is accepted keeps its bounds and can be answered, what is
 * refused says why. The first byte chooses the route. */
#include <jansson.h>
#include <string.h>

#include "app/mock/ask.h"
#include "app/mock/say.h"
#include "app/mock/text.h"
#include "base/str/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static const char *const models[] = { "tiny-mock", "b" };

static void check_json(const struct ocf_buf *b, size_t skip, size_t cut)
{
  json_t *o = json_loadb((const char *)b->p + skip, b->n - skip - cut, 0, NULL);
  OCF_ASSERT(json_is_object(o));
  json_decref(o);
}

static void answer(const struct ocf_mock_ask *ask)
{
  struct ocf_alloc al;
  struct ocf_buf b;
  struct ocf_mock_text t;
  const struct ocf_mock_answer a = { ask->kind, "id", models[ask->model], 1, ask->include_usage };
  const struct ocf_mock_usage u = { ask->prompt_tokens, 1 };
  ocf_alloc_init(&al);
  ocf_buf_init(&b, &al, 1 << 20);
  if (ask->kind == OCF_MOCK_EMBEDDING) {
    if (ocf_mock_say_embeddings(&b, a.model, ask) == 0)
      check_json(&b, 0, 0);
  } else {
    ocf_mock_text_init(&t, ocf_bytes(ask->prompt, strlen(ask->prompt)));
    uint64_t len = ocf_mock_text_length(ocf_bytes(ask->prompt, strlen(ask->prompt)));
    struct ocf_bytes w = { NULL, 0 };
    for (uint64_t i = 0; i < len; i++)
      w = ocf_mock_text_next(&t);
    OCF_ASSERT(w.n == 7 && memcmp(w.p, "anyone.", 7) == 0); /* the passage's last word */
    OCF_ASSERT(ocf_mock_say_token(&b, &a, ocf_bytes(ask->prompt, strlen(ask->prompt))) == 0);
    check_json(&b, 6, 2);
    ocf_buf_clear(&b);
    OCF_ASSERT(ocf_mock_say_whole(&b, &a, w, "stop", &u) == 0);
    check_json(&b, 0, 0);
  }
  ocf_buf_fini(&b);
  OCF_ASSERT(al.live_bytes == 0);
}

static void check_ask(const struct ocf_mock_ask *a)
{
  size_t n = strlen(a->prompt);
  OCF_ASSERT(a->model < 2);
  OCF_ASSERT(n <= OCF_MOCK_PROMPT_BYTES_MAX);
  OCF_ASSERT(ocf_utf8_ok(ocf_bytes(a->prompt, n)));
  for (size_t i = 0; i < n; i++)
    OCF_ASSERT((uint8_t)a->prompt[i] >= ' ');
  OCF_ASSERT(a->n_inputs <= OCF_MOCK_INPUTS_MAX);
  OCF_ASSERT(a->kind == OCF_MOCK_CHAT || a->n_inputs > 0);
  OCF_ASSERT(a->max_tokens <= UINT32_MAX);
  OCF_ASSERT(a->kind != OCF_MOCK_EMBEDDING || (a->dims > 0 && a->dims <= OCF_MOCK_DIMS_MAX));
  OCF_ASSERT(a->stream || !a->include_usage);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_mock_ask a;
  struct ocf_mock_refusal why;
  if (n == 0)
    return 0;
  int r = ocf_mock_ask_parse((enum ocf_mock_kind)(d[0] % 3), ocf_bytes(d + 1, n - 1), models, 2, &a,
                             &why);
  if (r == 0) {
    check_ask(&a);
    if (a.n_inputs * a.dims <= 4096)
      answer(&a);
    ocf_mock_ask_fini(&a);
  } else {
    OCF_ASSERT(r == OCF_EINVAL);
    OCF_ASSERT(why.status == 400 || why.status == 404);
    OCF_ASSERT(why.message[0] != '\0' && why.code != NULL && why.type != NULL);
  }
  return 0;
}
