#include "tools/sdc/Html.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tools/sdc/Layers.h"

namespace sd::tool {

std::string escapedHtml(const std::string &text, std::size_t most) {
  std::string html;
  for (const char c : shortened(text, most))
    html += c == '<'                             ? "&lt;"
            : c == '>'                           ? "&gt;"
            : c == '&'                           ? "&amp;"
            : c == '"'                           ? "&quot;"
            : c == '\''                          ? "&#39;"
            : static_cast<unsigned char>(c) < 32 ? " "
                                                 : std::string(1, c);
  return html;
}

HtmlCell textCell(const std::string &text) { return {escapedHtml(text), false}; }
HtmlCell numberCell(std::string text) { return {std::move(text), true}; }

std::string htmlTable(const std::vector<std::string> &heads, const std::vector<std::vector<HtmlCell>> &rows) {
  std::string html = "<div class=\"wide\"><table><thead><tr>";
  for (std::size_t i = 0; i < heads.size(); ++i)
    html += fmt::format("<th{}>{}</th>", !rows.empty() && rows[0][i].isNumber ? " class=\"number\"" : "",
                        escapedHtml(heads[i]));
  html += "</tr></thead><tbody>\n";
  for (const auto &row : rows) {
    html += "<tr>";
    for (const HtmlCell &cell : row)
      html += fmt::format("<td{}>{}</td>", cell.isNumber ? " class=\"number\"" : "", cell.html);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string htmlBar(double part) {
  return fmt::format("<svg class=\"bar\" viewBox=\"0 0 100 8\" width=\"60\" height=\"8\" "
                     "preserveAspectRatio=\"none\"><rect class=\"rail\" "
                     "width=\"100\" height=\"8\"/><rect class=\"fill\" width=\"{:.1f}\" height=\"8\"/></svg>",
                     100 * (std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 1.0));
}

std::string htmlPage(const std::string &title, const std::string &body) {
  constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark; --ink: #1c1b1f; --page: #fff; --line: #bbb; --strong: #0b57d0; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e1e5; --page: #1c1b1f; --line: #555; --strong: #8ab4f8; --bad: #f2b8b5; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--page); overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; font-size: .9rem; text-align: left; vertical-align: top;
  overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
td { min-width: 2rem; }
.bad { color: var(--bad); font-weight: 600; }
svg.graph, svg.histogram { display: block; max-width: 100%; height: auto; margin: 1rem auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; text-anchor: middle; }
svg .small { font-size: 10px; }
svg .box { fill: var(--page); stroke: var(--line); }
svg .heat { fill: var(--strong); }
svg .edge { fill: none; stroke: var(--line); stroke-width: 1.5; }
svg .rail { fill: var(--line); opacity: .4; }
svg .fill { fill: var(--strong); }
@media print { body { max-width: none; margin: 0; font-size: .8rem; } .wide { overflow: visible; }
  th, td { font-size: .6rem; padding: .1rem .25rem; overflow-wrap: anywhere; } td svg { width: 40px; }
  tr, svg { break-inside: avoid; }
  h2 { break-after: avoid; } svg { print-color-adjust: exact; } }
</style>)";
  const std::string text = escapedHtml(title);
  return fmt::format("{}<title>{}</title></head><body>\n<h1>{}</h1>\n{}</body></html>\n", kHead, text, text, body);
}

} // namespace sd::tool
