-- A Prosody that guests may use as Jitsi Meet does: rooms, and services of XEP-0215, which
-- the file in EXTERNAL_SERVICES lists. All of it lives in the namespace of a test.
run_as_root = true
data_path = ENV_PROSODY_DATA
storage = "memory"
log = { { levels = { min = "info" }, to = "console" } }

interfaces = { "*" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = {}
http_ports = { 5280 }
http_interfaces = { "*" } -- the loopback alone otherwise
https_ports = {}
http_default_host = "meet.test"
consider_websocket_secure = true
c2s_require_encryption = false

modules_enabled = { "disco", "ping", "saslauth", "websocket" }
modules_disabled = { "s2s", "offline" }

Include(ENV_EXTERNAL_SERVICES)

VirtualHost "meet.test"
  authentication = "anonymous"
  modules_enabled = { "external_services" }

Component "conference.meet.test" "muc"
  muc_room_locking = false
  muc_room_default_public_jids = true
