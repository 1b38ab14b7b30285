# Debian packages by CPack: scripts/package.sh makes them.

# Man pages from --help; only packages need them.
find_program(HELP2MAN help2man)
add_custom_target(man)
function(sd_man_page tool component summary)
  set(folder ${CMAKE_BINARY_DIR}/man/${component})
  if(HELP2MAN)
    add_custom_command(TARGET man POST_BUILD
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${HELP2MAN} --no-info --name=${summary} --output=${folder}/${tool}.1 $<TARGET_FILE:${tool}>
      COMMAND gzip -9nf ${folder}/${tool}.1 VERBATIM)
    add_dependencies(man ${tool})
  endif()
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/completions.bash RENAME ${tool} COMPONENT ${component}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endfunction()
sd_man_page(sdc compiler "compiles ONNX models into secure two-party programs")
sd_man_page(sd-run runtime "runs a secure two-party program with a peer")
sd_man_page(sd-serve runtime "serves several models to several hospitals")
sd_man_page(sd-deal runtime "deals correlations to two parties")
sd_man_page(sd-store runtime "shows and cleans stores of prepared inferences")
sd_man_page(sd-audit runtime "verifies audit logs")

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${PROJECT_SOURCE_DIR}/packaging/changelog.in ${CMAKE_BINARY_DIR}/packaging/changelog @ONLY)
execute_process(COMMAND gzip -9nf ${CMAKE_BINARY_DIR}/packaging/changelog)

set(components compiler runtime dev)
if(TARGET sdc_python)
  list(APPEND components python)
endif()
foreach(component ${components})
  set(package sdc-${component})
  if(component STREQUAL dev)
    set(package libsdc-dev)
  elseif(component STREQUAL python)
    set(package python3-sdc)
  endif()
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/copyright ${CMAKE_BINARY_DIR}/packaging/changelog.gz
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/${component}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
    COMPONENT ${component} OPTIONAL)
endforeach()
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sdc-compiler COMPONENT compiler)
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sdc-compiler COMPONENT compiler
  USE_SOURCE_PERMISSIONS PATTERN __pycache__ EXCLUDE)
install(PROGRAMS scripts/make-certs DESTINATION ${CMAKE_INSTALL_DATADIR}/sdc COMPONENT runtime)
install(FILES examples/service/sd-serve.service examples/service/sd-keep.service examples/service/sd-keep.timer examples/service/sd-watch.service
  DESTINATION lib/systemd/system COMPONENT runtime)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGE_CONTACT "sdc maintainers <maintainers@sdc.invalid>")
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME sdc-compiler)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME sdc-runtime)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsdc-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libfmt-dev, libssl-dev, nlohmann-json3-dev, libexpected-dev, libprotobuf-dev, \
libonnx-dev, libhwy-dev, libpq-dev, libpng-dev, libturbojpeg0-dev, zlib1g-dev, libdcmtk-dev")
set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-sdc)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3, python3-numpy")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS "python3-onnx, python3-sklearn, python3-matplotlib")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS "openssl, haproxy, postgresql")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION "compiler of ONNX models to secure two-party programs
sdc compiles a model so that a company and a hospital can run it together:
the company never sees the record, the hospital never sees the weights.")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "machines that run secure two-party programs
sd-run runs a program with a peer, sd-serve serves several models to several
hospitals, sd-store looks after inferences that were prepared ahead of time.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "libraries and headers of sdc
Static libraries, headers and a CMake package.")
set(CPACK_COMPONENT_PYTHON_DESCRIPTION "Python package of sdc
import sdc: compiles models, checks them beside their floats, runs both
parties, and asks a service.")
include(CPack)
