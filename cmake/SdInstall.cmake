include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY SD_LIBRARIES)
install(TARGETS ${libraries} sd_flags EXPORT sdcTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT sdcTargets NAMESPACE sdc:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sdc COMPONENT dev)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sdcConfig.cmake.in sdcConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sdc)
write_basic_package_version_file(sdcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sdcConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/sdcConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sdc COMPONENT dev)
# The library's interface; other headers are the project's own.
install(FILES ${PROJECT_SOURCE_DIR}/api/sdc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sdc COMPONENT dev)
