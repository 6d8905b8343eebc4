# ocf_build_info.h: version, commit and libraries, as `ocf version` tells them. The commit is looked up
# by every build and the header is rewritten only when it changed, so that nothing is rebuilt in vain.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  execute_process(COMMAND git -C "${SOURCE}" rev-parse --short=12 HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(commit STREQUAL "")
    set(commit "unknown")
  endif()
  file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT "#define OCF_BUILD_VERSION \"@VERSION@\"
#define OCF_BUILD_COMMIT \"@commit@\"
#define OCF_BUILD_LIBUV \"@LIBUV@\"
#define OCF_BUILD_LIBSODIUM \"@LIBSODIUM@\"
#define OCF_BUILD_OPENSSL \"@OPENSSL@\"
#define OCF_BUILD_LIBYAML \"@LIBYAML@\"
")
elseif(TARGET ocf_app_cli)
  set(dir "${PROJECT_BINARY_DIR}/gen")
  add_custom_target(ocf_build_info BYPRODUCTS "${dir}/ocf_build_info.h"
    COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${PROJECT_SOURCE_DIR}" "-DOUT=${dir}/ocf_build_info.h"
      "-DVERSION=${PROJECT_VERSION}" "-DLIBUV=${OCF_UV_VERSION}"
      "-DLIBSODIUM=${OCF_SODIUM_VERSION}" "-DOPENSSL=${OCF_CRYPTO_VERSION}"
      "-DLIBYAML=${OCF_YAML_VERSION}" -P "${PROJECT_SOURCE_DIR}/cmake/build_info.cmake"
    VERBATIM)
  add_dependencies(ocf_app_cli ocf_build_info)
  set_source_files_properties("${PROJECT_SOURCE_DIR}/src/app/cli/version.c" PROPERTIES
    COMPILE_DEFINITIONS OCF_HAVE_BUILD_INFO INCLUDE_DIRECTORIES "${dir}")
  add_executable(ocf_gen_docs src/app/cli/docs_main.c)
  target_compile_options(ocf_gen_docs PRIVATE ${OCF_WARNINGS})
  target_link_libraries(ocf_gen_docs PRIVATE ocf_app_cli)
  add_test(NAME generated/docs COMMAND ocf_gen_docs check "${PROJECT_SOURCE_DIR}")
  set_tests_properties(generated/docs PROPERTIES LABELS unit)
endif()
