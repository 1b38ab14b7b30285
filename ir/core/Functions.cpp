#include "ir/core/Functions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace sd {

namespace {

constexpr ScalarFunction kFunctions[] = {
    {"abs", [](double v) { return std::abs(v); }},
    {"acos", [](double v) { return std::acos(v); }},
    {"acosh", [](double v) { return std::acosh(v); }},
    {"asin", [](double v) { return std::asin(v); }},
    {"asinh", [](double v) { return std::asinh(v); }},
    {"atan", [](double v) { return std::atan(v); }},
    {"atanh", [](double v) { return std::atanh(v); }},
    {"ceil", [](double v) { return std::ceil(v); }},
    {"cos", [](double v) { return std::cos(v); }},
    {"cosh", [](double v) { return std::cosh(v); }},
    {"erf", [](double v) { return std::erf(v); }},
    {"exp", [](double v) { return std::exp(v); }},
    {"floor", [](double v) { return std::floor(v); }},
    {"identity", [](double v) { return v; }},
    {"log", [](double v) { return std::log(v); }},
    {"reciprocal", [](double v) { return 1 / v; }},
    {"relu", [](double v) { return v < 0 ? 0 : v; }},      // NaN stays NaN
    {"round", [](double v) { return std::nearbyint(v); }}, // halves to even
    {"sign", [](double v) { return v > 0   ? 1
                                   : v < 0 ? -1
                                           : v; }},
    {"sin", [](double v) { return std::sin(v); }},
    {"sinh", [](double v) { return std::sinh(v); }},
    {"softplus", [](double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); }},
    {"softsign", [](double v) { return v / (1 + std::abs(v)); }},
    {"sqrt", [](double v) { return std::sqrt(v); }},
    {"step", [](double v) { return v > 0 ? 1.0 : 0.0; }},
    {"tan", [](double v) { return std::tan(v); }},
    {"tanh", [](double v) { return std::tanh(v); }},
};
static_assert(std::ranges::is_sorted(kFunctions, {}, &ScalarFunction::name));

} // namespace

std::span<const ScalarFunction> allFunctions() { return kFunctions; }

const ScalarFunction *findFunction(std::string_view name) {
  const auto *found = std::ranges::lower_bound(kFunctions, name, {}, &ScalarFunction::name);
  return found == std::end(kFunctions) || found->name != name ? nullptr : found;
}

namespace {
constexpr std::string_view kLayerNorm = "layernorm ", kRmsNorm = "rmsnorm ";
}

std::optional<RowFunction> rowFunction(std::string_view name) {
  const bool centred = name.starts_with(kLayerNorm);
  if (!centred && !name.starts_with(kRmsNorm)) return std::nullopt;
  const std::string_view number = name.substr(centred ? kLayerNorm.size() : kRmsNorm.size());
  RowFunction function{centred, 0};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), function.epsilon);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (!whole || !std::isfinite(function.epsilon) || function.epsilon < 0) return std::nullopt;
  return function;
}

std::string nameOf(const RowFunction &function) {
  return fmt::format("{}{}", function.centred ? kLayerNorm : kRmsNorm, function.epsilon);
}

} // namespace sd
