"""`yuelao integrate`: both sides of each meeting system agree, and nothing is overwritten."""

import json
import os
import re
import stat
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

YUELAO = os.environ.get("YUELAO", "build/dev/server/yuelao")
HOST = "turn.example.org"
REST = ["jitsi", "nextcloud-talk", "nextcloud-hpb", "bigbluebutton", "matrix", "galene"]
STATIC = ["janus", "mirotalk-p2p", "mirotalk-c2c", "mirotalk-bro", "briefing", "livekit"]


class Machine:
    """A machine of its own: a state directory and a place for the configuration."""

    def __init__(self, directory):
        self.file = directory / "etc" / "yuelao.yaml"
        self.state = directory / "state"
        self.secret = self.state / "rest-secret"

    def run(self, *argv):
        kept = {key: value for key, value in os.environ.items() if key != "STATE_DIRECTORY"}
        return subprocess.run([YUELAO, *map(str, argv)], capture_output=True, text=True,
                              timeout=60, check=False, env=kept | {"YUELAO_CONFIG": str(self.file)})

    def integrate(self, system, *more):
        return self.run("integrate", system, "--state-directory", self.state, *more)

    def sides(self, system, *more, host=HOST):
        result = self.integrate(system, "--json", "--host", host, *more)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def configure(self, text):
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text)
        self.file.chmod(0o600)

    def accepts(self, text):
        self.configure(text)
        checked = self.run("check-config", self.file)
        assert (checked.returncode, checked.stderr) == (0, "")
        return checked.stdout


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def theirs(sides):
    return "".join(snippet["text"] for snippet in sides["snippets"])


@pytest.mark.parametrize("system", REST)
def test_a_rest_system_gets_the_secret_that_the_server_uses(machine, system):
    sides = machine.sides(system)
    assert machine.secret.read_text().strip() in theirs(sides)
    assert f"{HOST}:3478" in theirs(sides) or f'"{HOST}", port = 3478' in theirs(sides)
    said = machine.accepts(sides["yuelao"]["text"])
    assert "0 secrets, 0 users (yuelao makes a secret of its own)" in said
    assert machine.secret.read_text().strip() not in sides["yuelao"]["text"]
    # The same again, not another one.
    machine.file.unlink()
    assert machine.sides(system) == sides


@pytest.mark.parametrize("system", STATIC)
def test_a_static_system_gets_a_user_that_the_configuration_knows(machine, system):
    sides = machine.sides(system)
    password = (machine.state / f"{system}.password").read_text().strip()
    assert len(password) == 64 and password in theirs(sides)
    assert system in theirs(sides)
    # Who has credentials made with the secret must not lose them.
    assert "1 secrets, 1 users" in machine.accepts(sides["yuelao"]["text"])
    assert password not in sides["yuelao"]["text"]
    for file in machine.state.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def tls(certificate):
    return "--certificate", certificate["certificate"], "--key", certificate["key"]


@pytest.mark.parametrize("system", REST + STATIC)
def test_with_a_certificate_there_is_tls_and_with_a_media_server_a_way_to_it(machine, tls, system):
    sides = machine.sides(system, *tls, "--media-server", "10.0.0.20", "--media-server", "fd00::20")
    machine.accepts(sides["yuelao"]["text"])
    assert "allow: [10.0.0.20, \"fd00::20\"]" in sides["yuelao"]["text"]
    # BigBlueButton's clients have nobody else to reach.
    assert ("mode: media-server" in sides["yuelao"]["text"]) == (system == "bigbluebutton")
    if system not in ("briefing", "janus"):  # which know one plain server
        shown = theirs(sides) + "".join(sides["notes"])
        assert "turns:" in shown or '"turns"' in shown or "turn,turns" in shown or "tls" in shown


def test_the_formats_are_what_their_readers_take(machine, tls):
    beans = ElementTree.fromstring(machine.sides("bigbluebutton", *tls)["snippets"][0]["text"])
    values = [argument.get("value") for argument in beans.iter() if argument.tag.endswith("-arg")]
    assert f"turns:{HOST}:5349?transport=tcp" in values and "86400" in values
    galene, = json.loads(machine.sides("galene", *tls)["snippets"][0]["text"])
    assert galene["credentialType"] == "hmac-sha1"
    assert f"turns:{HOST}:5349?transport=tcp" in galene["urls"]
    talk = machine.sides("nextcloud-talk", *tls)["snippets"][0]["text"]
    assert re.search(rf"talk:turn:add --secret=\w{{64}} turn,turns {HOST}:3478 udp,tcp\n", talk)
    prosody = machine.sides("jitsi", *tls)["snippets"][0]["text"]
    for entry in re.findall(r'\{ type = "turns?", .*', prosody):
        assert 'secret = true, ttl = 86400, algorithm = "turn"' in entry
    assert prosody.count("secret = true") == 3


def test_behind_a_proxy_turns_has_the_proxys_port(machine):
    assert f"turns:{HOST}:443?transport=tcp" in theirs(
        machine.sides("bigbluebutton", "--turns-port", "443"))


def test_beside_briefing_yuelao_leaves_port_3478_to_it(machine):
    sides = machine.sides("briefing")
    assert "listen: [udp:3479, tcp:3479]" in sides["yuelao"]["text"]
    assert f"BRIEFING_TURN_URL=turn:{HOST}:3479" in theirs(sides)
    machine.configure("listen: [udp:3478]\n")
    assert any("listen on 3479" in note for note in machine.sides("briefing")["notes"])


def test_users_and_secrets_of_the_configuration_are_kept_and_used(machine):
    machine.configure("secrets: [{value: 0123456789abcdef-mine}]\n"
                      "users: [{name: ada, password: 'pass \"word'}]\n"
                      f"external_address: {HOST}\n")
    jitsi = machine.sides("jitsi")
    assert jitsi["yuelao"] == {"file": str(machine.file), "exists": True, "text": ""}
    assert 'external_service_secret = "0123456789abcdef-mine";' in theirs(jitsi)
    miro = machine.sides("mirotalk-p2p")
    assert miro["yuelao"]["text"] == ""
    assert "TURN_SERVER_USERNAME=ada\nTURN_SERVER_CREDENTIAL='pass \"word'\n" in theirs(miro)
    assert not machine.state.exists()


def test_a_key_of_the_systems_own_opens_the_credentials(machine):
    jitsi = machine.sides("jitsi", "--credentials", "--credentials-origin", "https://meet.test")
    key = (machine.state / "jitsi.api-key").read_text().strip()
    assert len(key) == 64 and f'"/turn/ice-servers?key={key}"' in theirs(jitsi)
    assert "proxy_pass http://127.0.0.1:9642;" in theirs(jitsi)
    assert stat.S_IMODE((machine.state / "jitsi.api-key").stat().st_mode) == 0o600
    assert key not in jitsi["yuelao"]["text"]
    machine.accepts(jitsi["yuelao"]["text"])
    # What is there is not said again; the key of a page is nobody else's.
    again = machine.sides("jitsi", "--credentials", "--credentials-origin", "https://meet.test")
    assert again["yuelao"]["text"] == "" and theirs(again) == theirs(jitsi)
    janus = machine.sides("janus", "--credentials")
    assert janus["yuelao"]["text"] == (
        f"credentials:\n  keys:\n    - file: {machine.state}/janus.api-key\n")
    assert key not in theirs(janus) and "turn_user" not in theirs(janus)
    assert not (machine.state / "janus.password").exists()


def test_behind_the_backend_janus_asks_whom_it_is_told_to(machine):
    signaling = theirs(machine.sides("nextcloud-hpb"))
    assert "[turn]\napikey" in signaling and "http://127.0.0.1:8080/turn/credentials" in signaling
    # The secret then stays where it is.
    ours = theirs(machine.sides("nextcloud-hpb", "--credentials-url", "https://turn.test/api/"))
    assert "https://turn.test/api/turn/credentials" in ours and "[turn]" not in ours
    assert machine.secret.read_text().strip() not in ours


def test_pages_in_the_clear_stay_on_the_machine(machine, tls):
    near = machine.sides("matrix", *tls, "--share-443", "127.0.0.1:8443")
    assert "plain: 127.0.0.1:8444\n" in near["yuelao"]["text"]
    assert "listen 127.0.0.1:8444 proxy_protocol;\nset_real_ip_from 127.0.0.1;\n" in theirs(near)
    far = machine.sides("matrix", *tls, "--share-443", "10.0.0.9:8443")
    machine.accepts(far["yuelao"]["text"])
    assert "plain" not in far["yuelao"]["text"] and "8444" not in theirs(far)
    assert "set_real_ip_from ADDRESS-OF-YUELAO;" in theirs(far)


def test_port_443_joins_the_listeners_there_are(machine, tls):
    shared = ["--share-443", "[::1]:8443"]
    new = machine.sides("briefing", *tls, *shared)["yuelao"]["text"]
    assert "listen: [udp:3479, tcp:3479, tls:443]\n" in new
    machine.accepts(new)
    assert machine.sides("briefing", *tls, *shared)["yuelao"]["text"] == ""
    machine.configure('listen: ["udp:[::1]:3478"]\n')
    joined = machine.sides("matrix", *tls, *shared)
    assert 'listen: ["udp:[::1]:3478", tls:443]\n' in joined["yuelao"]["text"]
    assert f"turns:{HOST}:443?transport=tcp" in theirs(joined)


def test_write_makes_the_file_once_and_never_over_another(machine):
    made = machine.integrate("mirotalk-p2p", "--host", HOST, "--write")
    assert made.returncode == 0 and "wrote" in made.stderr
    assert stat.S_IMODE(machine.file.stat().st_mode) & 0o022 == 0
    machine.accepts(machine.file.read_text())
    again = machine.integrate("mirotalk-p2p", "--write")
    assert again.returncode == 0 and "nothing to write" in again.stderr
    before = machine.file.read_text()
    other = machine.integrate("jitsi", "--write", "--media-server", "10.0.0.20")
    assert other.returncode == 1
    assert "is left as it is: add the lines above" in other.stderr
    assert "peers:\n  allow: [10.0.0.20]\n" in other.stdout
    assert machine.file.read_text() == before


@pytest.mark.parametrize("argv, sentence", [
    (["mirotlk-p2p"], "did you mean `mirotalk-p2p`?"),
    (["zoom"], "`yuelao integrate` lists them"),
    (["mirotalk-sfu"], "uses neither STUN nor TURN"),
    (["mirotalk-web"], "only schedules rooms"),
    (["brave-talk"], "`yuelao integrate jitsi`"),
    (["jitsi", "--host", "a b;c"], "--host is a name or an address"),
    (["jitsi", "--host", HOST, "--media-server", "sfu"], "`here` for this machine"),
    (["jitsi", "--host", HOST, "--key", "k.pem"], "give both"),
    (["jitsi", "--host", HOST, "--share-443", "127.0.0.1:8443"], "give --certificate and --key"),
    (["jitsi", "--share-443", "127.0.0.1:443"], "such as 127.0.0.1:8443"),
    (["jitsi", "--share-443", "0.0.0.0:8443"], "such as 127.0.0.1:8443"),
    (["matrix", "--share-443", "web:8443"], "such as 127.0.0.1:8443"),
    (["bigbluebutton", "--share-443", "127.0.0.1:8443"], "HAProxy shares port 443"),
    (["nextcloud-hpb", "--share-443", "127.0.0.1:8443"], "`yuelao integrate nextcloud-talk`"),
    (["janus", "--share-443", "127.0.0.1:8443"], "no use for port 443"),
    (["galene", "--credentials"], "Galene asks nobody"),
    (["janus", "--credentials-origin", "https://meet.example.org"], "no web page asks"),
    (["janus", "--credentials-listen", "9642"], "such as 127.0.0.1:9642"),
    (["jitsi", "--credentials-url", "turn.example.org"], "such as https://meet.example.org"),
    (["jitsi", "--credentials-url", "https://a\"+alert()+\""], "such as https://meet.example.org"),
    (["jitsi", "--credentials-origin", "https://meet.example.org/"], "without a path"),
])
def test_what_cannot_be_is_said_in_one_sentence(machine, argv, sentence):
    result = machine.integrate(*argv)
    assert (result.returncode, result.stdout) == (1, "")
    assert sentence in result.stderr and result.stderr.count("\n") == 1


def test_without_a_name_it_lists_them_all(machine):
    listed = machine.run("integrate")
    assert listed.returncode == 0
    for system in REST + STATIC + ["mirotalk-sfu", "mirotalk-web", "brave-talk"]:
        assert re.search(rf"^  {system} ", listed.stdout, re.MULTILINE)


def test_coturns_configuration_becomes_one_of_ours(machine, tmp_path):
    file = tmp_path / "turnserver.conf"
    file.write_text("listening-port=3479\nstatic-auth-secret=0123456789abcdef\nno-auth\n"
                    "allowed-peer-ip=10.0.0.7\n")
    result = machine.run("import", "coturn", file)
    assert (result.returncode, result.stderr) == (0, "")
    assert "# no-auth: UNSAFE and not taken over" in result.stdout
    assert "2 listeners, 1 secrets, 0 users" in machine.accepts(result.stdout)
    file.write_text("realm=example.org\nmin-port=x\n")
    wrong = machine.run("import", "coturn", file)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith(f"{file}:2:10: `x` does not fit")
    missing = machine.run("import", "coturn", tmp_path / "none")
    assert missing.returncode == 1 and "cannot be read" in missing.stderr
