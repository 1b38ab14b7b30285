include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  # Else ccache keeps nothing that was compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

option(SD_WERROR "Treat warnings as errors" OFF)
set(SD_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

add_library(sd_flags INTERFACE)
target_include_directories(sd_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(sd_flags INTERFACE cxx_std_20)
# The warnings are the project's own: whoever uses the installed package chooses theirs.
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Wno-psabi
  $<$<BOOL:${SD_WERROR}>:-Werror>)
target_compile_options(sd_flags INTERFACE "$<BUILD_INTERFACE:${warnings}>")
if(SD_SANITIZE)
  target_compile_options(sd_flags INTERFACE -fsanitize=${SD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sd_flags INTERFACE -fsanitize=${SD_SANITIZE})
endif()

include(SdPrecompile)

# sd_library(NAME SOURCES a.cpp ... DEPS other ...): one library of the project; DEPS are public.
function(sd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC sd_flags ${ARG_DEPS})
  sd_reuse_precompiled(${name} sd_precompiled)
  set_property(GLOBAL APPEND PROPERTY SD_LIBRARIES ${name})
endfunction()

# sd_tool(NAME SOURCES ... DEPS ...): an installed program.
function(sd_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_compile_definitions(${name} PRIVATE SD_VERSION="${PROJECT_VERSION}")
  set(component runtime)
  if(name STREQUAL sdc)
    set(component compiler)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
endfunction()
