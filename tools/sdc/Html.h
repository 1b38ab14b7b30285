// Pieces of HTML pages: what comes from a model or a record is text in them, never markup.
#pragma once

#include <string>
#include <vector>

namespace sd::tool {

// Shortened to `most` bytes, without control characters, for text and for attributes in quotes.
std::string escapedHtml(const std::string &text, std::size_t most = 120);

struct HtmlCell {
  std::string html; // escaped
  bool isNumber = false;
};
HtmlCell textCell(const std::string &text);
HtmlCell numberCell(std::string text);

// A table that scrolls where it is too wide.
std::string htmlTable(const std::vector<std::string> &heads, const std::vector<std::vector<HtmlCell>> &rows);

// A bar of 0 to 1 of its width, as SVG.
std::string htmlBar(double part);

// A whole page, which loads nothing and runs no script. `title` is text, `body` HTML.
std::string htmlPage(const std::string &title, const std::string &body);

} // namespace sd::tool
