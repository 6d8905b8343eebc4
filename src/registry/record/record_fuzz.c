/* The input is a record. Oracle: what is read lies within the bounds; written and read again it is
 * the same record with nothing unknown or mistyped, and the second writing gives the same bytes;
 * failing allocations change nothing but the answer. */
#include <string.h>

#include "fmt/jscan/jscan.h"
#include "registry/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_text(struct ocf_bytes s)
{
  OCF_ASSERT(s.n <= OCF_RECORD_STR_MAX && (s.n == 0 || s.p[s.n] == 0));
}

static void check_list(const struct ocf_record_strs *l, size_t max)
{
  OCF_ASSERT(l->n <= max && (l->is_set || l->n == 0));
  for (size_t i = 0; i < l->n; i++) {
    struct ocf_record_group g = ocf_record_group(l->v[i]);
    check_text(l->v[i]);
    OCF_ASSERT((g.kind == OCF_RECORD_GROUP_EXACT || g.kind == OCF_RECORD_GROUP_ANY) ==
               (g.key.n > 0));
  }
}

static void check_bounds(const struct ocf_record *r)
{
  OCF_ASSERT(ocf_record_mem(r) <= OCF_RECORD_MEM_MAX);
  check_text(r->id);
  check_text(r->region);
  check_list(&r->role, OCF_RECORD_LIST_MAX);
  check_list(&r->capabilities, OCF_RECORD_LIST_MAX);
  OCF_ASSERT(r->n_services <= OCF_RECORD_SERVICES_MAX && r->n_load <= OCF_RECORD_LIST_MAX);
  for (size_t i = 0; i < r->n_services; i++) {
    check_text(r->service[i].name);
    check_list(&r->service[i].identity_group, OCF_RECORD_GROUPS_MAX);
    OCF_ASSERT(r->service[i].hardware.n_gpus <= OCF_RECORD_LIST_MAX);
  }
  OCF_ASSERT(r->n_service_name_counts <= OCF_RECORD_LIST_MAX);
  OCF_ASSERT(r->price.n <= OCF_RECORD_RAW_MAX && r->signature.n <= OCF_RECORD_RAW_MAX);
}

static void check_document(struct ocf_bytes json)
{
  struct ocf_jscan s;
  struct ocf_jscan_token t;
  int rc;
  ocf_jscan_init(&s, NULL, 0, OCF_JSCAN_DEPTH_MAX);
  while ((rc = ocf_jscan_pull(&s, &json, &t)) > 0 && t.kind != OCF_JSCAN_END)
    ;
  OCF_ASSERT(rc == 1 && json.n == 0);
}

static void check_building(struct ocf_record *r, struct ocf_alloc *a)
{
  struct ocf_record b;
  ocf_record_init(&b, a);
  for (size_t i = 0; i < r->n_services; i++) {
    int rc = ocf_record_put_service(&b, &r->service[i]);
    OCF_ASSERT(rc == 0 || (rc == OCF_EINVAL && r->service[i].name.n == 0));
    OCF_ASSERT(rc != 0 || ocf_record_find_service(&b, r->service[i].name) != NULL);
  }
  for (size_t i = 0; i < r->n_services && r->service[i].name.n > 0; i++)
    OCF_ASSERT(ocf_record_drop_service(&b, r->service[i].name) <= 1);
  ocf_record_fini(&b);
}

static void check_again(struct ocf_record *r, struct ocf_alloc *a, unsigned flags)
{
  struct ocf_buf one, two;
  struct ocf_record back;
  ocf_buf_init(&one, a, 16u << 20);
  ocf_buf_init(&two, a, 16u << 20);
  OCF_ASSERT(ocf_record_write(r, flags, &one) == 0);
  check_document(ocf_buf_view(&one));
  int rc = ocf_record_parse(&back, a, ocf_buf_view(&one));
  OCF_ASSERT(rc == (one.n > OCF_RECORD_JSON_MAX ? OCF_ELIMIT : 0));
  if (rc == 0) {
    OCF_ASSERT(back.n_unknown == 0 && back.n_mistyped == 0 && back.n_dropped == 0);
    OCF_ASSERT(ocf_record_write(&back, flags, &two) == 0);
    OCF_ASSERT(ocf_bytes_eq(ocf_buf_view(&one), ocf_buf_view(&two)));
  }
  ocf_record_fini(&back);
  ocf_buf_fini(&one);
  ocf_buf_fini(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_alloc a;
  struct ocf_record r;
  ocf_alloc_init(&a);
  int rc = ocf_record_parse(&r, &a, ocf_bytes(d, n));
  OCF_ASSERT(rc == 0 || rc == OCF_EINVAL || rc == OCF_ELIMIT);
  OCF_ASSERT(rc == 0 || (ocf_record_mem(&r) == 0 && r.id.n == 0));
  if (rc == 0) {
    check_bounds(&r);
    check_again(&r, &a, 0);
    check_again(&r, &a, OCF_RECORD_GO_ONLY | OCF_RECORD_CONNECTED);
    check_building(&r, &a);
  }
  ocf_record_fini(&r);
  a.fail_at = a.n_calls + 1 + n % 3;
  int failed = ocf_record_parse(&r, &a, ocf_bytes(d, n));
  OCF_ASSERT(failed == rc || failed == OCF_ENOMEM);
  ocf_record_fini(&r);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
