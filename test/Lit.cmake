# The text tests as one CTest test: lit and FileCheck are the only parts of LLVM that the project uses.
file(GLOB llvm_prefixes /usr/lib/llvm-*)
list(SORT llvm_prefixes COMPARE NATURAL ORDER DESCENDING)
list(TRANSFORM llvm_prefixes APPEND /build/utils/lit OUTPUT_VARIABLE lit_hints)
list(TRANSFORM llvm_prefixes APPEND /bin OUTPUT_VARIABLE filecheck_hints)
find_file(SD_LIT NAMES lit.py HINTS ${lit_hints})
find_program(SD_FILECHECK NAMES FileCheck HINTS ${filecheck_hints})
find_program(SD_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
foreach(tool LIT FILECHECK PYTHON)
  if(NOT SD_${tool})
    message(FATAL_ERROR "The tests need lit, FileCheck and python3: install llvm-19-tools and python3 "
      "(scripts/install-deps.sh), or give -DSD_${tool}=PATH, or configure with -DSD_TESTS=OFF")
  endif()
endforeach()

configure_file(lit.site.cfg.py.in ${CMAKE_CURRENT_BINARY_DIR}/lit.site.cfg.py @ONLY)
add_test(NAME lit COMMAND ${SD_PYTHON} ${SD_LIT} -j2 -sv ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(lit PROPERTIES TIMEOUT 1000 PROCESSORS 2)
