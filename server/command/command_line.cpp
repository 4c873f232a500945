#include "server/command/command_line.hpp"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>

#include "server/command/command.hpp"

// The whole command line in one place, as `--help` shows it. Nothing else sees CLI11.
namespace yuelao::server {
namespace {

// What the command line says; of the command that it names, that is.
struct CommandLine {
  StartOptions start;
  std::string config_to_check;
  CredentialsArguments credentials;
  CheckArguments check;
  ProbeArguments probe;
  IntegrateArguments integrate;
  std::string turnserver_conf;
  std::function<int()> run;  // the command; empty where none is named
};

void add_start_options(CLI::App& app, StartOptions& start) {
  app.add_option("-c,--config", start.config_file,
                 "Configuration file. Default: $YUELAO_CONFIG, or /etc/yuelao/yuelao.yaml "
                 "where it exists, or none: everything has a safe default")
      ->type_name("FILE");
  app.add_option("--state-directory", start.state_directory,
                 "Where the secret made at the first start is kept. Default: "
                 "/var/lib/yuelao for root, else ~/.local/state/yuelao")
      ->type_name("DIR");
}

void add_authorities(CLI::App& app, std::filesystem::path& authorities) {
  app.add_option("--ca", authorities,
                 "Certificate authorities (PEM) to believe besides the system's")
      ->type_name("FILE");
}

void add_serve(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("serve", "Run the server (what happens by default)");
  add_start_options(*command, line.start);
  command->callback([&line] { line.run = [&line] { return serve(line.start); }; });
}

void add_check_config(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("check-config", "Say what is wrong with a configuration file");
  command->add_option("FILE", line.config_to_check, "The file. Default: the one serve reads")
      ->type_name("");
  command->callback(
      [&line] { line.run = [&line] { return check_config(line.start, line.config_to_check); }; });
}

void add_credentials(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "credentials", "Print where this server is and a credential for it (TURN REST)");
  auto& wanted = line.credentials;
  add_start_options(*command, line.start);
  command
      ->add_option("--user", wanted.user, "Whom it is for; a name in `users` gives that password")
      ->type_name("NAME");
  command->add_option("--ttl", wanted.lifetime, "How long it is valid: 90s, 10m, 24h")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--json", wanted.json, "Print an RTCIceServer object to paste");
  command->callback(
      [&line] { line.run = [&line] { return print_credentials(line.start, line.credentials); }; });
}

void add_check(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "check", "Say whether the server that runs here works, and what to do where it does not");
  auto& wanted = line.check;
  add_start_options(*command, line.start);
  command
      ->add_option("--peer", wanted.peers,
                   "Address of a media server that clients must reach. May be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  command
      ->add_option("--stun", wanted.stun,
                   "STUN server to ask how the Internet sees this machine; none is asked by "
                   "itself")
      ->type_name("HOST[:PORT]");
  add_authorities(*command, wanted.authorities);
  command->add_flag("--json", wanted.json, "Print the report as JSON");
  command->footer(
      "Ends with 0 when calls work, 1 when something keeps them from it, 2 when used wrongly.");
  command->callback(
      [&line] { line.run = [&line] { return check_server(line.start, line.check); }; });
}

void add_probe(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "probe", "Try a STUN or TURN server as a client does, and say which ways to it work");
  auto& wanted = line.probe;
  command->add_option("URI", wanted.uri, "stun:HOST, turn:HOST:PORT?transport=udp, turns:HOST, ...")
      ->required();
  command->add_option("--user", wanted.user, "The user name; with a secret, any name will do")
      ->type_name("NAME");
  auto* password = command
                       ->add_option("--password-file", wanted.password_file,
                                    "Holds the user's password; or set YUELAO_PASSWORD")
                       ->type_name("FILE");
  command
      ->add_option("--secret-file", wanted.secret_file,
                   "Holds the server's shared secret (TURN REST); or set YUELAO_SECRET")
      ->type_name("FILE")
      ->excludes(password);
  add_authorities(*command, wanted.authorities);
  command->add_flag("--json", wanted.json, "Print the report as JSON");
  command->footer(
      "Ends with 0 when everything works, 1 when something does not, 2 when used "
      "wrongly.");
  command->callback([&line] { line.run = [&line] { return probe_server(line.probe); }; });
}

void add_certificate(CLI::App& command, IntegrationWish& wish) {
  command
      .add_option("--host", wish.host,
                  "What clients call this server. Default: from the configuration, the "
                  "certificate, or this machine's address")
      ->type_name("NAME");
  command.add_option("--certificate", wish.certificate, "PEM file with the chain, for turns:")
      ->type_name("FILE");
  command.add_option("--key", wish.key, "PEM file with its key")->type_name("FILE");
}

void add_ports(CLI::App& command, IntegrationWish& wish) {
  auto* proxied =
      command
          .add_option("--turns-port", wish.turns_port,
                      "Port of turns: where a proxy in front of yuelao takes the TLS off")
          ->check(CLI::Range(1, 65535))
          ->type_name("PORT");
  command
      .add_option("--share-443", wish.share_443,
                  "Take port 443 in front of the system's web server, which moves to this address "
                  "and port, and the port after it, such as 127.0.0.1:8443")
      ->type_name("ADDRESS:PORT")
      ->excludes(proxied);
  command
      .add_option("--media-server", wish.media_servers,
                  "Private address of a media server that clients must reach; `here`: this "
                  "machine. May be repeated")
      ->type_name("ADDRESS");
}

void add_asking(CLI::App& command, IntegrationWish& wish) {
  command.add_flag_callback(
      "--credentials", [&wish] { wish.credentials = Credentials::asked_for; },
      "The system asks yuelao for credentials over HTTP (janus, nextcloud-hpb, jitsi)");
  command
      .add_option("--credentials-listen", wish.credentials_listen,
                  "Where yuelao answers it. Default: 127.0.0.1:9642, for the same machine")
      ->type_name("ADDRESS:PORT");
  command
      .add_option("--credentials-url", wish.credentials_url,
                  "How the system gets there, where that is another way: the part before "
                  "/turn/credentials, of a web server in front")
      ->type_name("URL");
  command
      .add_option("--credentials-origin", wish.credentials_origin,
                  "Origin of the web page that asks, if that URL is of another one")
      ->type_name("URL");
}

void add_integrate(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "integrate", "Print what a meeting system and yuelao need of each other, ready to paste");
  auto& wanted = line.integrate;
  add_start_options(*command, line.start);
  command->add_option("SYSTEM", wanted.system, "The meeting system; none lists them")
      ->type_name("");
  add_certificate(*command, wanted.wish);
  add_ports(*command, wanted.wish);
  add_asking(*command, wanted.wish);
  command->add_flag("--write", wanted.write, "Write yuelao's file, if there is none yet");
  command->add_flag("--json", wanted.json, "Print it for a program");
  command->callback(
      [&line] { line.run = [&line] { return integrate_system(line.start, line.integrate); }; });
}

void add_web_page(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "web-page", "Print the connection check as one HTML file, to open or host anywhere");
  command->callback([&line] { line.run = print_web_page; });
}

void add_import(CLI::App& app, CommandLine& line) {
  auto* command =
      app.add_subcommand("import", "Print this server's configuration from another server's");
  command->require_subcommand(1);
  auto* coturn = command->add_subcommand("coturn", "From coturn's turnserver.conf");
  coturn->add_option("FILE", line.turnserver_conf, "Usually /etc/turnserver.conf")
      ->type_name("")
      ->required();
  coturn->callback([&line] { line.run = [&line] { return import_coturn(line.turnserver_conf); }; });
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app{
      "yuelao relays the media of calls between browsers that cannot reach each other "
      "(STUN and TURN).\n\nStart it without arguments: it makes a secret, listens on port "
      "3478 over UDP and TCP, and\nprints what to paste into your meeting server.\n",
      "yuelao"};
  app.set_version_flag("--version", "yuelao " YUELAO_VERSION, "Print the version");
  app.require_subcommand(0, 1);
  add_start_options(app, line.start);
  add_serve(app, line);
  add_check_config(app, line);
  add_credentials(app, line);
  add_check(app, line);
  add_probe(app, line);
  add_integrate(app, line);
  add_web_page(app, line);
  add_import(app, line);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? succeeded : used_wrongly;
  }
  return line.run ? line.run() : serve(line.start);
}

}  // namespace yuelao::server
