// The border between the standard library's exceptions and the project's errors.
#pragma once

#include <new>
#include <stdexcept>
#include <system_error>

#include "ir/core/Error.h"

namespace sd {

// What `body` returns, an Expected; or an error in its place when memory or threads run out. For the body of a thread
// and of whatever allocates as much as its input asks for.
template <class Body>
auto guarded(Body &&body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return fail(ErrorKind::Resources, "there is not enough memory");
  } catch (const std::length_error &) {
    return fail(ErrorKind::Resources, "there is not enough memory");
  } catch (const std::system_error &error) {
    return fail(ErrorKind::Resources, "the system refuses: {}", error.what());
  }
}

} // namespace sd
