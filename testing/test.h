/* What every unit test includes: cmocka with the headers it needs before it, and the project's
 * vectors. Tests only; never included from a module's own sources. */
#ifndef OCF_TESTING_TEST_H
#define OCF_TESTING_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Runs the `tests` array under the file's own name. */
#define OCF_TEST_MAIN(tests)                                                                       \
  int main(void)                                                                                   \
  {                                                                                                \
    return cmocka_run_group_tests(tests, NULL, NULL);                                              \
  }

#endif
