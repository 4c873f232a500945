#include <nlohmann/json.hpp>

#include "server/probe/explain.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(std::chrono::microseconds duration) {
  return static_cast<double>(duration.count()) / 1000;
}

Json steps_of(const std::vector<Step>& steps) {
  auto list = Json::array();
  for (const auto& step : steps) {
    list.push_back(
        {{"step", step.name}, {"verdict", name(step.verdict)}, {"text", step.sentences}});
  }
  return list;
}

Json json_of(const Certificate& certificate) {
  const auto now = std::chrono::system_clock::now();
  const auto left = std::chrono::floor<std::chrono::days>(certificate.expiry - now);
  return {{"names", certificate.names},
          {"issuer", certificate.issuer},
          {"expires_unix", certificate.expiry.time_since_epoch().count()},
          {"days_left", left.count()},
          {"trusted", certificate.distrust.empty()},
          {"distrust", certificate.distrust},
          {"protocol", certificate.protocol},
          {"alpn", certificate.alpn}};
}

Json json_of(const DataTest& data) {
  return {{"way", name(data.way)},
          {"sent", data.sent},
          {"arrived", data.arrived},
          {"returned", data.returned},
          {"round_trip_ms",
           {{"fastest", milliseconds(data.fastest)},
            {"median", milliseconds(data.median)},
            {"percentile_95", milliseconds(data.percentile_95)},
            {"slowest", milliseconds(data.slowest)}}},
          {"megabits_per_second", data.megabits_per_second}};
}

Json json_of(const std::optional<Endpoint>& endpoint) {
  return endpoint ? Json{endpoint->to_string()}[0] : Json{};
}

Json json_of(const client::Offer& offer) {
  auto algorithms = Json::array();
  for (const auto number : offer.algorithms) algorithms.push_back(algorithm_name(number));
  return {{"password_algorithms", std::move(algorithms)},
          {"user_anonymity", offer.user_anonymity},
          {"used", algorithm_name(static_cast<std::uint16_t>(offer.chosen))}};
}

Json json_of(const client::NatBehavior& nat) {
  return {{"translated", nat.translated},
          {"mapping", name(nat.mapping)},
          {"filtering", name(nat.filtering)}};
}

Json json_of(const std::vector<Feature>& features) {
  auto json = Json::object();
  for (const auto& [feature, spoken] : features) {
    json[std::string{name(feature)}] = spoken ? Json(*spoken) : Json();
  }
  return json;
}

Json json_of(const Leg& leg) {
  Json json{{"transport", name(leg.transport)},
            {"server", leg.server.to_string()},
            {"verdict", name(leg.verdict)}};
  json["local"] = json_of(leg.local);
  json["mapped"] = json_of(leg.mapped);
  json["relayed"] = json_of(leg.relayed);
  json["software"] = leg.software;
  json["realm"] = leg.realm;
  json["authentication"] = leg.offer ? json_of(*leg.offer) : Json();
  json["round_trip_ms"] = leg.round_trip ? Json(milliseconds(*leg.round_trip)) : Json();
  json["certificate"] = leg.certificate ? json_of(*leg.certificate) : Json();
  json["data"] = Json::array();
  for (const auto& data : leg.data) json["data"].push_back(json_of(data));
  json["nat"] = leg.nat ? json_of(*leg.nat) : Json();
  json["features"] = json_of(leg.features);
  json["steps"] = steps_of(leg.steps);
  return json;
}

Json json_of(const Lookup& lookup) {
  return {{"type", name(lookup.question.type)},
          {"name", lookup.question.name},
          {"outcome", name(lookup.outcome)},
          {"records", lookup.records}};
}

Json json_of(const client::Target& target) {
  return {{"transport", name(target.transport)}, {"host", target.host}, {"port", target.port}};
}

}  // namespace

std::string to_json(const Report& report) {
  Json json{{"uri", report.uri.to_string()}, {"works", report.works()}};
  json["seconds"] = static_cast<double>(report.took.count()) / 1000;
  json["resolution"] = steps_of(report.resolution);
  json["lookups"] = Json::array();
  for (const auto& lookup : report.lookups) json["lookups"].push_back(json_of(lookup));
  json["targets"] = Json::array();
  for (const auto& target : report.targets) json["targets"].push_back(json_of(target));
  json["legs"] = Json::array();
  for (const auto& leg : report.legs) json["legs"].push_back(json_of(leg));
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace yuelao::probe
