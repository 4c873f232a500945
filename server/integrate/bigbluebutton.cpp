#include <string>
#include <vector>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::string_view head = R"(<?xml version="1.0" encoding="UTF-8"?>
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans
                           http://www.springframework.org/schema/beans/spring-beans-2.5.xsd">
)";

constexpr std::string_view package = "org.bigbluebutton.web.services.turn.";

std::string bean(std::string_view id, std::string_view kind,
                 const std::vector<std::string>& arguments) {
  std::string text = "  <bean id=\"" + std::string{id} + "\" class=\"" + std::string{package} +
                     std::string{kind} + "\">\n";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    text += "    <constructor-arg index=\"" + std::to_string(i) +
            "\" value=" + in_xml_attribute(arguments[i]) + "/>\n";
  }
  return text + "  </bean>\n";
}

std::string property(std::string_view name, const std::vector<std::string>& beans) {
  std::string text = "    <property name=\"" + std::string{name} + "\">\n      <set>\n";
  for (const auto& id : beans) text += "        <ref bean=\"" + id + "\"/>\n";
  return text + "      </set>\n    </property>\n";
}

std::string servers(const Request& request) {
  std::string text{head};
  std::vector<std::string> stun;
  std::vector<std::string> turn;
  for (const auto& service : request.services) {
    auto& list = service.scheme == "stun" ? stun : turn;
    const auto id = (service.scheme == "stun" ? "stun" : "turn") + std::to_string(list.size());
    list.push_back(id);
    if (service.scheme == "stun") {
      text += bean(id, "StunServer", {url(request, service)});
    } else {
      text += bean(id, "TurnServer",
                   {std::string{request.secret.reveal()}, url(request, service), "86400"});
    }
  }
  return text + "  <bean id=\"stunTurnService\" class=\"" + std::string{package} +
         "StunTurnService\">\n" + property("stunServers", stun) + property("turnServers", turn) +
         "  </bean>\n</beans>\n";
}

}  // namespace

Instructions bigbluebutton(const Request& request) {
  return {{{"/etc/bigbluebutton/turn-stun-servers.xml",
            "The whole file, readable for bigbluebutton only: chown bigbluebutton, chmod 640. "
            "Then: bbb-conf --restart",
            servers(request)}},
          {"Firefox participants are sent through TURN always: without a `turns` entry on 443 "
           "those behind strict firewalls stay out.",
           "Behind BigBlueButton's own HAProxy (it ends TLS on 443 and sends TURN on to port "
           "3478): --turns-port 443, with --host its own name; disable coturn, which holds 3478.",
           "`bbb-conf --check` asks the STUN server and warns when it is silent."}};
}

}  // namespace yuelao::integrate
