#include "ir/bytecode/Inspect.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/Writer.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

using testing::HasSubstr;
using testing::Not;

LoadedProgram loaded(Sample sample) {
  const Digest digest = digestOf(*writeProgram(sample.program));
  return {std::move(sample.program), digest};
}

TEST(InspectTest, JsonSaysWhatTheCostModelSays) {
  const LoadedProgram program = loaded(tinyMlp());
  const auto json = nlohmann::json::parse(*inspectJson(program, lanAndWan()));
  const ProgramCost cost = *costOf(program.program);
  EXPECT_EQ(json["name"], "tiny");
  EXPECT_EQ(json["digest"], toHex(program.digest));
  EXPECT_EQ(json["inputs"][0], nlohmann::json::parse(R"({"name": "x", "shape": [1, 2], "range": [0.0, 1.0]})"));
  EXPECT_EQ(json["public_preprocessing"][0]["op"], "nn.sub");
  EXPECT_EQ(json["postprocessing"][0]["op"], "nn.softmax");
  EXPECT_EQ(json["groups"].size(), program.program.groups.size());
  EXPECT_EQ(json["groups"][3]["instructions"][0]["attributes"]["schedule"][0], 2);
  EXPECT_EQ(json["cost"]["online"]["bytes"], cost.totalOnlineBytes());
  EXPECT_EQ(json["cost"]["online"]["bytes_sent"]["service"], cost.onlineBytes[0]);
  EXPECT_EQ(json["cost"]["offline"]["ots"], cost.offline.ots);
  EXPECT_EQ(json["cost"]["multiply_adds"], cost.multiplyAdds);
  EXPECT_EQ(json["learns"]["opened"][0]["index"], 10);
  EXPECT_EQ(json["learns"]["public_numbers_from_weights"].size(), 1u); // the subtracted mean
}

// The figure of the flood: of every program that has RLWE layers, and 0 coefficients for those that have none.
TEST(InspectTest, BothFormsSayHowWellTheWeightsAreHidden) {
  for (const LoadedProgram &program : {loaded(tinyMlp()), loaded(branches()), loaded(matrices())}) {
    const ProgramCost cost = *costOf(program.program);
    std::uint64_t coefficients = 0;
    for (std::size_t i = 0; i < cost.instructions.size(); ++i)
      if (cost.instructions[i].offline.linearProducts > 0)
        coefficients += static_cast<std::uint64_t>(
            elementCount(program.program.slots[program.program.instructions[i].result].shape));
    const auto json = nlohmann::json::parse(*inspectJson(program, {}));
    EXPECT_EQ(json["weights_hidden"]["flooded_coefficients"], coefficients);
    EXPECT_EQ(json["weights_hidden"]["bits_an_inference"], 40);
    EXPECT_EQ(json["weights_hidden"]["bits_after_a_million"], 30);
    const std::string said = "hidden up to 2^-40 an inference, 2^-30 after 10^6";
    EXPECT_EQ(inspectText(program, {})->find(said) != std::string::npos, coefficients > 0);
  }
}

TEST(InspectTest, TextNamesPublicNumbersAndOpenedValues) {
  const std::string tiny = *inspectText(loaded(tinyMlp()), {});
  EXPECT_THAT(tiny, HasSubstr("%1 = nn.constant {value = <2> [0.5, 0.25]} : clear<2>  # Sub_0"));
  EXPECT_THAT(tiny, HasSubstr("public numbers that depend on the weights: none but the public constants above"));
  const std::string branching = *inspectText(loaded(branches()), {});
  EXPECT_THAT(branching, HasSubstr("public numbers that depend on the weights: none\n"));
  EXPECT_THAT(branching, HasSubstr("left: 1x4, range not declared"));
}

TEST(InspectTest, BothFormsSayWhatIsPredicted) {
  const LoadedProgram program = loaded(tinyMlp());
  const ProgramCost cost = *costOf(program.program);
  const auto json = nlohmann::json::parse(*inspectJson(program, lanAndWan()))["predicted"];
  ASSERT_EQ(json.size(), 2u);
  for (std::size_t n = 0; n < json.size(); ++n) {
    const NamedNetwork network = lanAndWan()[n];
    const Prediction prediction = predict(program.program, cost, network.profile);
    EXPECT_EQ(json[n]["network"], network.name);
    EXPECT_EQ(json[n]["online_seconds"], prediction.online);
    EXPECT_EQ(json[n]["offline_seconds"], prediction.offline);
    EXPECT_EQ(json[n]["instructions"][1]["index"], 7); // input, then the first matrix product
    EXPECT_EQ(json[n]["instructions"][1]["offline_seconds"], prediction.instructions[7].offline);
  }
  const std::vector<NamedNetwork> far{{"far", {.roundTripSeconds = 10, .bitsPerSecond = 1e6}}};
  const std::string text = *inspectText(program, far);
  EXPECT_THAT(text, HasSubstr("  10000 ms, 1 Mbit/s\n"));
  EXPECT_THAT(text, HasSubstr("  %8 share.relu Relu_2 "));
  EXPECT_THAT(text, HasSubstr("  in all "));
}

TEST(InspectTest, LongListsAreAbbreviated) {
  EXPECT_EQ(toString(AttrValue(std::vector<std::int64_t>{1, 2, 3})), "[1, 2, 3]");
  EXPECT_EQ(toString(AttrValue(std::vector<std::int64_t>(100, 5))), "[5, 5, 5, 5, 5, 5, 5, 5, ... 100 in all]");
}

} // namespace
} // namespace sd
