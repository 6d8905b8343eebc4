/* Sequences of operations on a table and on a naive one beside it; see table_check.h. Oracle: equal
 * answers, rows and snapshots after every step; all memory given back. */
#include "registry/table/table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  if (n <= 2048)
    check_run(ocf_bytes(d, n));
  return 0;
}
