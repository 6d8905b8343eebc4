#include "app/mock/text.h"

#include <string.h>

static bool blank(uint8_t c)
{
  return c <= ' ' || c == 0x7f;
}

static struct ocf_bytes word_at(struct ocf_bytes part, size_t *pos)
{
  size_t from = *pos;
  while (from < part.n && blank(part.p[from]))
    from++;
  size_t to = from;
  while (to < part.n && !blank(part.p[to]))
    to++;
  *pos = to;
  return ocf_bytes(part.p + from, to - from);
}

void ocf_mock_text_init(struct ocf_mock_text *t, struct ocf_bytes prompt)
{
  static const uint8_t none[1];
  if (prompt.p == NULL)
    prompt = ocf_bytes(none, 0);
  *t = (struct ocf_mock_text){ .part = { OCF_STR("You asked:"), prompt,
                                         OCF_STR(OCF_MOCK_PASSAGE) } };
}

struct ocf_bytes ocf_mock_text_next(struct ocf_mock_text *t)
{
  for (;;) {
    struct ocf_bytes w = word_at(t->part[t->index], &t->pos);
    if (w.n > 0) {
      t->n_given++;
      return w;
    }
    t->index = t->index == 2 ? 2 : t->index + 1; /* the passage begins again */
    t->pos = 0;
  }
}

uint64_t ocf_mock_text_words(struct ocf_bytes text)
{
  uint64_t n = 0;
  for (size_t i = 0; i < text.n; i++)
    n += !blank(text.p[i]) && (i == 0 || blank(text.p[i - 1]));
  return n;
}

uint64_t ocf_mock_text_length(struct ocf_bytes prompt)
{
  return 2 + ocf_mock_text_words(prompt) + ocf_mock_text_words(OCF_STR(OCF_MOCK_PASSAGE));
}

uint64_t ocf_mock_fnv1a(uint64_t h, const void *p, size_t n)
{
  const uint8_t *b = p;
  for (size_t i = 0; i < n; i++)
    h = (h ^ b[i]) * UINT64_C(0x100000001b3);
  return h;
}

/* By Newton's method, so that no mathematics library is needed; x > 0. */
static double root(double x)
{
  double r = x > 1 ? x : 1;
  for (int i = 0; i < 64; i++)
    r = (r + x / r) / 2;
  return r;
}

static uint64_t mix(uint64_t z) /* SplitMix64's output function */
{
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void ocf_mock_vector(uint64_t hash, float *v, size_t dims)
{
  double sum = 0;
  OCF_ASSERT(dims > 0);
  for (size_t i = 0; i < dims; i++) {
    uint64_t bits = mix(hash + (i + 1) * UINT64_C(0x9e3779b97f4a7c15)) >> 40; /* 24 bits: exact */
    v[i] = (float)bits / 8388608.0f - 1.0f + 1.0f / 16777216.0f;              /* never all zero */
    sum += (double)v[i] * (double)v[i];
  }
  double norm = root(sum);
  for (size_t i = 0; i < dims; i++)
    v[i] = (float)((double)v[i] / norm);
}

void ocf_mock_pattern(uint64_t offset, uint8_t *dst, size_t n)
{
  size_t i = 0;
  while (i < n) { /* a row of 256 at a time: within it only the lowest byte of the place changes */
    uint64_t at = offset + i;
    uint8_t add = (uint8_t)((at >> 8) + (at >> 16)), low = (uint8_t)at;
    size_t row = OCF_MIN(n - i, (size_t)256 - low);
    for (size_t j = 0; j < row; j++)
      dst[i + j] = (uint8_t)((uint8_t)(low + j) * 131u + add);
    i += row;
  }
}
