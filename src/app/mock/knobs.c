#include "app/mock/knobs.h"

#include "base/str/str.h"

enum { MS_MAX = 3600 * 1000 };

void ocf_mock_knobs_init(struct ocf_mock_knobs *k)
{
  *k = (struct ocf_mock_knobs){ .gap_ms = OCF_MOCK_NEVER,
                                .die_after = OCF_MOCK_NEVER,
                                .close_after = OCF_MOCK_NEVER,
                                .silent_after = OCF_MOCK_NEVER,
                                .framing = OCF_H1_FRAMING_LENGTH };
}

struct knob {
  const char *name;
  size_t offset;
  uint64_t max;
};

#define KNOB(member, most)                                                                         \
  {                                                                                                \
#member, offsetof(struct ocf_mock_knobs, member), (most)                                       \
  }
static const struct knob numbers[] = {
  KNOB(delay_ms, MS_MAX),
  KNOB(gap_ms, MS_MAX),
  KNOB(chunks, OCF_MOCK_KNOB_CHUNKS_MAX),
  KNOB(size, OCF_MOCK_KNOB_SIZE_MAX),
  KNOB(n, UINT64_C(1) << 50),
  KNOB(die_after, OCF_MOCK_KNOB_CHUNKS_MAX),
  KNOB(close_after, OCF_MOCK_KNOB_CHUNKS_MAX),
  KNOB(silent_after, OCF_MOCK_KNOB_CHUNKS_MAX),
  KNOB(comment_ms, MS_MAX),
};

static bool read_status(struct ocf_mock_knobs *k, struct ocf_bytes value)
{
  uint64_t v;
  if (ocf_str_u64(value, 599, &v) != 0 || v < 200)
    return false;
  k->status = (unsigned)v;
  return true;
}

static bool read_framing(struct ocf_mock_knobs *k, struct ocf_bytes value)
{
  k->has_framing = true;
  if (ocf_str_is(value, "length"))
    k->framing = OCF_H1_FRAMING_LENGTH;
  else if (ocf_str_is(value, "chunked"))
    k->framing = OCF_H1_FRAMING_CHUNKED;
  else if (ocf_str_is(value, "close"))
    k->framing = OCF_H1_FRAMING_CLOSE;
  else
    return false;
  return true;
}

static bool read_switch(bool *out, struct ocf_bytes value)
{
  *out = ocf_str_is(value, "1");
  return *out || ocf_str_is(value, "0");
}

static bool read_pair(struct ocf_mock_knobs *k, struct ocf_bytes name, struct ocf_bytes value)
{
  uint64_t v;
  for (size_t i = 0; i < OCF_ARRAY_LEN(numbers); i++) {
    if (!ocf_str_is(name, numbers[i].name))
      continue;
    if (ocf_str_u64(value, numbers[i].max, &v) != 0)
      return false;
    *(uint64_t *)(void *)((char *)k + numbers[i].offset) = v;
    return true;
  }
  if (ocf_str_is(name, "status"))
    return read_status(k, value);
  if (ocf_str_is(name, "framing"))
    return read_framing(k, value);
  if (ocf_str_is(name, "head_first"))
    return read_switch(&k->head_first, value);
  if (ocf_str_is(name, "die_early"))
    return read_switch(&k->die_early, value);
  return true;
}

int ocf_mock_knobs_read(struct ocf_mock_knobs *k, struct ocf_bytes text, struct ocf_bytes *bad)
{
  struct ocf_bytes part;
  if (text.n == 0)
    return 0;
  while (ocf_str_split(&text, '&', &part)) {
    struct ocf_bytes pair = ocf_str_trim(part);
    size_t eq = ocf_str_find(pair, '=');
    struct ocf_bytes value = ocf_bytes(pair.p, 0);
    if (eq < pair.n)
      value = ocf_bytes(pair.p + eq + 1, pair.n - eq - 1);
    if (!read_pair(k, ocf_bytes(pair.p, eq), value)) {
      *bad = pair;
      return OCF_EINVAL;
    }
  }
  return 0;
}
