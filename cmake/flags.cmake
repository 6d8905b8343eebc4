# Warning and hardening flags. -Werror only where OCF_WERROR is on (presets dev and CI): a
# distributor's newer compiler must not break the build.
set(OCF_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align
  -Wcast-qual -Wpointer-arith -Wwrite-strings -Wstrict-prototypes -Wold-style-definition
  -Wmissing-prototypes -Wmissing-declarations -Wredundant-decls -Wundef -Wvla -Wformat=2
  -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Wfloat-equal
  -Wdate-time)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND OCF_WARNINGS -Wlogical-op -Wduplicated-cond -Wduplicated-branches
    -Wjump-misses-init -Walloca)
else()
  list(APPEND OCF_WARNINGS -Wunreachable-code -Wcomma -Wassign-enum -Wconditional-uninitialized
    -Wthread-safety)
endif()
if(OCF_WERROR)
  list(APPEND OCF_WARNINGS -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
    -fstack-clash-protection -fcf-protection)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
