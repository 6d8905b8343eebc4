# The libp2p stack as a library of its own: one static archive, libocf-p2p.a, of layers 0-2 and the
# libuv driver with the seam that it implements (node/env), their headers under include/ocf/, and
# ocf-p2p.pc. `make install` installs it with the `ocf` program.
include(GNUInstallDirs)

set(OCF_P2P_MODULES "")
file(STRINGS "${PROJECT_SOURCE_DIR}/src/LAYERS" lines)
foreach(line ${lines})
  if(line MATCHES "^((base|fmt|crypto|multi|p2p|http)/[a-z0-9_]+|node/env|io/fetch|io/uv):")
    list(APPEND OCF_P2P_MODULES ${CMAKE_MATCH_1})
  endif()
endforeach()

set(objects "")
set(seen_headers "")
foreach(id ${OCF_P2P_MODULES})
  string(REPLACE "/" "_" t "ocf_${id}")
  get_target_property(type ${t} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND objects $<TARGET_OBJECTS:${t}>)
  endif()
  file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${id}/*.h")
  list(FILTER headers EXCLUDE REGEX "(_int|internal|_pair|_test|_check|_world|_solo|_rig|_one|_harness|_naive|_contract|_fixture|_image)\\.h$") # a module's own, and tests'
  install(FILES ${headers} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/ocf/${id}")
endforeach()
add_library(ocf-p2p STATIC ${objects})
set_target_properties(ocf-p2p PROPERTIES LINKER_LANGUAGE C)

# Found from the .pc file's own place, so that the installed tree may be moved.
set(pc_dir "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH OCF_PC_INCLUDE "${pc_dir}" "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/ocf")
configure_file("${PROJECT_SOURCE_DIR}/cmake/ocf-p2p.pc.in" "${PROJECT_BINARY_DIR}/ocf-p2p.pc" @ONLY)

install(TARGETS ocf-p2p ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "${PROJECT_BINARY_DIR}/ocf-p2p.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TARGET ocf)
  install(TARGETS ocf RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
