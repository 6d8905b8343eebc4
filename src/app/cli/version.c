#include "app/cli/version.h"

/* The build gives these; a bare compilation of this file has none of them. */
#ifdef OCF_HAVE_BUILD_INFO
#include "ocf_build_info.h"
#else
#define OCF_BUILD_VERSION "0"
#define OCF_BUILD_COMMIT "unknown"
#define OCF_BUILD_LIBUV "unknown"
#define OCF_BUILD_LIBSODIUM "unknown"
#define OCF_BUILD_OPENSSL "unknown"
#define OCF_BUILD_LIBYAML "unknown"
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const struct ocf_version *ocf_version(void)
{
  static const struct ocf_version v = { OCF_BUILD_VERSION, OCF_BUILD_COMMIT,    COMPILER,
                                        OCF_BUILD_LIBUV,   OCF_BUILD_LIBSODIUM, OCF_BUILD_OPENSSL,
                                        OCF_BUILD_LIBYAML };
  return &v;
}
