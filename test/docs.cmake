# Fails if docs/ir.md is not what the generator writes.
execute_process(COMMAND ${GENERATOR} OUTPUT_VARIABLE fresh COMMAND_ERROR_IS_FATAL ANY)
file(READ ${DOCUMENT} stored)
if(NOT fresh STREQUAL stored)
  message(FATAL_ERROR "docs/ir.md is stale: renew it with ${GENERATOR} > docs/ir.md")
endif()
