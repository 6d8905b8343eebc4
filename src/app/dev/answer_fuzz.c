/* Any bytes as an answer's stream and as a process's line: one piece and byte by byte end alike. */
#include <stdlib.h>
#include <string.h>

#include "app/dev/answer.h"
#include "app/dev/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { TEXT_MAX = 1 << 20, LINE_MAX_BYTES = 8192 };

static int read_by(const uint8_t *d, size_t n, size_t step, struct ocf_dev_answer *a,
                   struct ocf_buf *text)
{
  int r = 0;
  for (size_t i = 0; r == 0 && i < n; i += step)
    r = ocf_dev_answer_feed(a, ocf_bytes(d + i, OCF_MIN(step, n - i)), text);
  return r;
}

static void check_stream(const uint8_t *d, size_t n)
{
  struct ocf_alloc al;
  struct ocf_buf t[2];
  struct ocf_dev_answer a[2];
  int r[2];
  ocf_alloc_init(&al);
  for (size_t i = 0; i < 2; i++) {
    ocf_buf_init(&t[i], &al, TEXT_MAX);
    ocf_dev_answer_init(&a[i], &al);
    r[i] = read_by(d, n, i == 0 ? (n > 0 ? n : 1) : 1, &a[i], &t[i]);
    OCF_ASSERT(r[i] == 0 || (r[i] == OCF_EPROTO && a[i].error[0] != '\0'));
    OCF_ASSERT(a[i].line.n <= OCF_DEV_LINE_MAX);
    OCF_ASSERT(t[i].n >= a[i].n_events);
  }
  OCF_ASSERT(r[0] == r[1] && a[0].done == a[1].done && a[0].finished == a[1].finished);
  OCF_ASSERT(ocf_bytes_eq(ocf_buf_view(&t[0]), ocf_buf_view(&t[1])));
  for (size_t i = 0; i < 2; i++) {
    ocf_dev_answer_fini(&a[i]);
    ocf_buf_fini(&t[i]);
  }
  OCF_ASSERT(al.live_bytes == 0);
}

static void check_line(const uint8_t *d, size_t n)
{
  static struct ocf_dev_join j;
  struct ocf_dev_ready ready;
  struct ocf_dev_row half, row;
  char *line = malloc(n + 1);
  OCF_ASSERT(line != NULL);
  if (n > 0)
    memcpy(line, d, n);
  line[n] = '\0';
  memset(&j, 0, sizeof(j));
  (void)ocf_dev_read_ready(line, &ready);
  if (ocf_dev_read_node(line, &half)) {
    OCF_ASSERT(half.status <= 999 && strlen(half.id) < sizeof(half.id));
    OCF_ASSERT(!ocf_dev_join_add(&j, &half, true, false, 0, &row));
  }
  if (ocf_dev_read_mock(line, &half)) {
    bool whole = ocf_dev_join_add(&j, &half, false, false, 0, &row);
    OCF_ASSERT(whole != j.slot[0].used);
  }
  free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  check_stream(d, n);
  check_line(d, OCF_MIN(n, (size_t)LINE_MAX_BYTES));
  return 0;
}
