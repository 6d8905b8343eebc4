/* The bytes choose legal calls and the content of the strings. Oracle: the result is one JSON text
 * in well-formed UTF-8, by a checker of its own; or the bound was hit and nothing is left. */
#include "base/mem/alloc.h"
#include "fmt/json/json.h"
#include "fmt/json/json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { DEPTH = OCF_JSON_DEPTH_MAX };

struct script {
  const uint8_t *p;
  size_t n;
};

static uint8_t take(struct script *s)
{
  if (s->n == 0)
    return 0;
  s->n--;
  return *s->p++;
}

static struct ocf_bytes take_string(struct script *s)
{
  size_t want = take(s) % 24u, n = OCF_MIN(want, s->n);
  struct ocf_bytes b = ocf_bytes(s->p, n);
  s->p += n;
  s->n -= n;
  return b;
}

static void put_scalar(struct ocf_json *w, struct script *s, unsigned what)
{
  uint64_t v = (uint64_t)take(s) << (take(s) % 57);
  switch (what) {
  case 0: ocf_json_u64(w, v); return;
  case 1: ocf_json_i64(w, -(int64_t)(v >> 1)); return;
  case 2: ocf_json_bool(w, (v & 1) != 0); return;
  case 3: ocf_json_null(w); return;
  case 4: ocf_json_raw(w, OCF_STR("[1,{\"x\":null}]")); return;
  case 5: ocf_json_cstr(w, "text"); return;
  default: ocf_json_str(w, take_string(s)); return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct script s = { d, n };
  bool is_object[DEPTH];
  unsigned depth = 0;
  struct ocf_alloc a;
  struct ocf_buf buf;

  ocf_alloc_init(&a);
  ocf_buf_init(&buf, &a, 64 + (size_t)take(&s) * 64);
  struct ocf_json w = ocf_json_to(&buf);
  do {
    unsigned what = take(&s) % 16;
    if (depth > 0 && (what >= 13 || s.n == 0)) {
      depth--;
      if (is_object[depth])
        ocf_json_object_end(&w);
      else
        ocf_json_array_end(&w);
      continue;
    }
    if (depth > 0 && is_object[depth - 1])
      ocf_json_key_bytes(&w, take_string(&s));
    if (what >= 9 && depth < DEPTH) {
      is_object[depth] = what % 2 == 0;
      if (is_object[depth++])
        ocf_json_object(&w);
      else
        ocf_json_array(&w);
    } else {
      put_scalar(&w, &s, what);
    }
  } while (depth > 0);
  int rc = ocf_json_end(&w);
  OCF_ASSERT(rc == 0 || rc == OCF_ELIMIT);
  OCF_ASSERT(rc == 0 ? json_check(ocf_buf_view(&buf)) : buf.n == 0);
  ocf_buf_fini(&buf);
  return 0;
}
