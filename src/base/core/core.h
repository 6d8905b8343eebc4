/* The words that every file uses: error codes, assertions, small macros.
 *
 * No allocation, no I/O, no state; safe from any thread. */
#ifndef OCF_BASE_CORE_CORE_H
#define OCF_BASE_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One list; the enum and ocf_strerror() are both made from it. Functions return 0 (or a count) on
 * success and one of these on failure. Only I/O drivers see errno. */
#define OCF_ERRORS(X)                                                                              \
  X(OCF_ENOMEM, -1, "out of memory")                                                               \
  X(OCF_EINVAL, -2, "invalid argument or malformed input")                                         \
  X(OCF_EPROTO, -3, "peer broke the protocol")                                                     \
  X(OCF_ETIME, -4, "deadline passed")                                                              \
  X(OCF_ESTATE, -5, "call not valid in this state")                                                \
  X(OCF_ELIMIT, -6, "a configured limit is reached")                                               \
  X(OCF_EAGAIN, -7, "more input or more room is needed")                                           \
  X(OCF_EEOF, -8, "closed by the other side")                                                      \
  X(OCF_ERESET, -9, "reset by the other side")                                                     \
  X(OCF_EAUTH, -10, "identity could not be proved or is not the expected one")                     \
  X(OCF_ECRYPTO, -11, "decryption or signature check failed")                                      \
  X(OCF_ENOENT, -12, "no such thing")                                                              \
  X(OCF_EEXIST, -13, "already there")                                                              \
  X(OCF_EIO, -14, "input or output failed")                                                        \
  X(OCF_EUNSUPP, -15, "not supported")                                                             \
  X(OCF_ECANCELED, -16, "cancelled")                                                               \
  X(OCF_EREFUSED, -17, "refused")                                                                  \
  X(OCF_EPERM, -18, "not permitted")                                                               \
  X(OCF_ERANGE, -19, "value out of range")                                                         \
  X(OCF_EINUSE, -20, "address or resource in use")                                                 \
  X(OCF_EUNREACH, -21, "no route or no address worked")

enum ocf_err_code {
  OCF_OK = 0,
#define X(name, value, text) name = (value),
  OCF_ERRORS(X)
#undef X
};

/* A short text for `err`; "unknown error" for a value that is not in the list. Never NULL. */
const char *ocf_strerror(int err);
/* The enumerator's name, "OCF_EPROTO"; "OCF_E?" when unknown. Never NULL. */
const char *ocf_errname(int err);

#define OCF_NODISCARD __attribute__((warn_unused_result))
#define OCF_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* States what only our own bug could break; on in every build. Peer input, files, memory and time
 * are never asserted: they are errors. */
#define OCF_ASSERT(c) (__builtin_expect(!!(c), 1) ? (void)0 : ocf_panic(__FILE__, __LINE__, #c))
_Noreturn void ocf_panic(const char *file, int line, const char *expr);

#define OCF_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* Arguments are evaluated twice. */
#define OCF_MIN(a, b) ((a) < (b) ? (a) : (b))
#define OCF_MAX(a, b) ((a) > (b) ? (a) : (b))
/* The struct that embeds *ptr as `member`. */
#define OCF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define OCF_CONTAINER_OF_CONST(ptr, type, member)                                                  \
  ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

/* A borrowed view: `p` may be NULL only when `n` is 0. The lender says how long it lives. */
struct ocf_bytes {
  const uint8_t *p;
  size_t n;
};

static inline struct ocf_bytes ocf_bytes(const void *p, size_t n)
{
  return (struct ocf_bytes){ (const uint8_t *)p, n };
}

/* A view of a C string without its NUL. */
#define OCF_STR(s) ocf_bytes((s), sizeof(s) - 1)

bool ocf_bytes_eq(struct ocf_bytes a, struct ocf_bytes b);

#endif
