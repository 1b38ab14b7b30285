# Headers that nearly every file includes, compiled once: once for all libraries (sd_precompiled) and once for all tests
# (sd_test_precompiled), since libraries and programs differ in their flags for position-independent code.
# Every file includes what it uses all the same; -DSD_PCH=OFF builds it so.
option(SD_PCH "Precompile the headers that nearly every file includes" ON)

set(SD_COMMON_HEADERS
  <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <map> <memory> <optional> <set> <span> <string> <string_view>
  <utility> <variant> <vector> <fmt/format.h> <fmt/ranges.h> <tl/expected.hpp>)

# ccache needs -fpch-preprocess to see what a precompiled header is made of. GCC 12 warns of moves of std::string in its own
# headers (GCC bug 105651) and, once they are precompiled, forgets that they are the system's.
set(SD_PCH_FLAGS $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread>)

function(sd_precompile target)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  target_link_libraries(${target} PRIVATE sd_flags fmt::fmt tl::expected ${ARG_DEPS})
  target_precompile_headers(${target} PRIVATE ${ARG_HEADERS})
  target_compile_options(${target} PRIVATE ${SD_PCH_FLAGS})
endfunction()

function(sd_reuse_precompiled target from)
  if(TARGET ${from})
    target_precompile_headers(${target} REUSE_FROM ${from})
    target_compile_options(${target} PRIVATE ${SD_PCH_FLAGS})
  endif()
endfunction()

if(SD_PCH)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "int main() {}\n")
  add_library(sd_precompiled STATIC ${CMAKE_BINARY_DIR}/precompiled.cpp)
  sd_precompile(sd_precompiled HEADERS ${SD_COMMON_HEADERS})
endif()
