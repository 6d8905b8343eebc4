/* Oracle: whatever comes, in two pieces, the reader's bounds hold, a message that decodes can be
 * walked within its limits, and what is re-encoded from it decodes to the same lists. */
#include "p2p/identify/identify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEEP = 64 };

static void again(struct ocf_alloc *a, const struct ocf_identify_msg *m)
{
  static struct ocf_maddr addrs[KEEP];
  static struct ocf_bytes protos[KEEP];
  struct ocf_identify_self self = { .key = m->key,
                                    .addrs = addrs,
                                    .protos = protos,
                                    .loopback = true,
                                    .agent = m->agent,
                                    .record = m->record };
  struct ocf_identify_iter it = ocf_identify_iter(m);
  while (self.n_addrs < KEEP && ocf_identify_next_addr(&it, &addrs[self.n_addrs]))
    self.n_addrs++;
  it = ocf_identify_iter(m);
  while (self.n_protos < KEEP && ocf_identify_next_proto(&it, &protos[self.n_protos]))
    self.n_protos++;
  struct ocf_buf out;
  ocf_buf_init(&out, a, 1 << 20);
  if (ocf_identify_encode(&self, &out) == 0) {
    struct ocf_identify_reader r;
    struct ocf_bytes raw;
    struct ocf_identify_msg m2;
    ocf_identify_reader_init(&r, a);
    OCF_ASSERT(ocf_identify_reader_input(&r, ocf_buf_view(&out)) == 0);
    OCF_ASSERT(ocf_identify_reader_end(&r, &raw) == 0);
    OCF_ASSERT(ocf_identify_decode(raw, &m2) == 0);
    OCF_ASSERT(m2.n_addrs == self.n_addrs && m2.n_protos == self.n_protos);
    OCF_ASSERT(ocf_bytes_eq(m2.agent, m->agent) && ocf_bytes_eq(m2.record, m->record));
    ocf_identify_reader_fini(&r);
  }
  ocf_buf_fini(&out);
}

static void look(struct ocf_alloc *a, struct ocf_bytes raw)
{
  struct ocf_identify_msg m;
  struct ocf_identify_record rec;
  if (ocf_identify_decode(raw, &m) != 0)
    return;
  OCF_ASSERT(m.n_protos <= OCF_IDENTIFY_PROTOS_MAX && m.n_addrs <= OCF_IDENTIFY_ADDRS_MAX);
  OCF_ASSERT(m.agent.n <= OCF_IDENTIFY_AGENT_MAX);
  if (ocf_identify_record_open(a, m.record, &rec) == 0) {
    struct ocf_identify_iter it = ocf_identify_record_iter(&rec);
    struct ocf_maddr addr;
    while (ocf_identify_record_next(&it, &addr))
      OCF_ASSERT(addr.n > 0);
  }
  again(a, &m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ocf_alloc a;
  struct ocf_identify_reader r;
  struct ocf_bytes raw;
  ocf_alloc_init(&a);
  ocf_identify_reader_init(&r, &a);
  size_t cut = size > 0 ? data[0] % size : 0;
  int err = ocf_identify_reader_input(&r, ocf_bytes(data, cut));
  if (err == 0)
    err = ocf_identify_reader_input(&r, ocf_bytes(data + cut, size - cut));
  if (err == 0 && ocf_identify_reader_end(&r, &raw) == 0)
    look(&a, raw);
  ocf_identify_reader_fini(&r);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
