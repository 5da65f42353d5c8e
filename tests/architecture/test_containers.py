"""The container files fit the schema, the settings, the repository and each other. No engine runs them here."""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hub import config
from tests.support import dockerfile

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<sign>[-?])[^}]*)?\}")
HUBS = ("hub-a", "hub-b")
OURS = re.compile(r"SPARKLE_\w+|DATABASE_URL|REDIS_URL")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return loaded


FILLED_IN = "10.0.0.1" + 24 * "0"
"""Good enough as an address in a URL, and as a secret."""


def variables_of_the_example() -> set[str]:
    return set(re.findall(r"^#?([A-Z_]+)=", (ROOT / "deploy/env.example").read_text(), re.MULTILINE))


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_compose_file_fits_the_compose_schema() -> None:
    outcome = check_schema(ROOT / "docker-compose.yml")
    assert outcome.returncode == 0, outcome.stdout


def test_schema_check_refuses_a_wrong_compose_file(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {hub: {image: x, depend_on: [postgres]}}")
    assert "depend_on" in check_schema(wrong).stdout


@pytest.mark.parametrize("hub", HUBS)
def test_node_starts_with_the_environment_of_its_container(compose: dict[str, Any], hub: str) -> None:
    given = {name: VARIABLE.sub(FILLED_IN, value) for name, value in compose["services"][hub]["environment"].items()}
    image = {name: value for name, value in dockerfile.environment(DOCKERFILE).items() if OURS.fullmatch(name)}
    known = {name for name, _ in config.describe()}
    assert (given | image).keys() <= known

    settings = config.load(image | given)  # raises for a value that does not fit

    assert settings.database_url is not None
    assert settings.redis_url is not None
    assert settings.host == "0.0.0.0"
    assert len(settings.ice.turn_urls) == 2


def test_media_server_starts_with_the_environment_of_its_container(compose: dict[str, Any]) -> None:
    media = compose["services"]["media"]
    given = {name: VARIABLE.sub(FILLED_IN, value) for name, value in media["environment"].items()}
    image = {name: value for name, value in dockerfile.environment(DOCKERFILE).items() if OURS.fullmatch(name)}
    assert given.keys() <= {name for name, _ in config.describe()}

    settings = config.load(image | given)

    assert settings.redis_url is not None
    assert media["command"] == ["media"]
    assert media["ports"] == [f"{settings.media.port}:{settings.media.port}/udp"]  # else callers are told a wrong port
    assert settings.media.announce == (FILLED_IN,)
    assert settings.media.http_host == "media"  # nodes find it by its name
    (probe,) = [word for word in media["healthcheck"]["test"] if "urlopen" in word]
    assert f"http://media:{settings.media.http_port}/health/ready" in probe
    assert set(media["networks"]) & set(compose["services"]["hub-a"]["networks"])


def test_nodes_share_the_volume_of_the_signing_key(compose: dict[str, Any]) -> None:
    folder = dockerfile.environment(DOCKERFILE)["SPARKLE_DATA"]
    mounts = [compose["services"][hub]["volumes"] for hub in HUBS]
    assert mounts == [[f"keys:{folder}"]] * 2
    assert f'VOLUME ["{folder}"]' in DOCKERFILE


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    used = {match["name"] for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    assert used == variables_of_the_example()


def test_example_gives_no_value_to_a_secret() -> None:
    lines = (ROOT / "deploy/env.example").read_text().splitlines()
    set_ones = [line for line in lines if re.match(r"[A-Z_]+=.", line)]
    assert set_ones == []


def test_missing_secret_stops_compose_instead_of_becoming_empty() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    guarded = {match["name"] for match in VARIABLE.finditer(text) if match["sign"] == "?"}
    optional = {match["name"] for match in VARIABLE.finditer(text) if match["sign"] == "-"}
    assert guarded | optional == variables_of_the_example()
    assert not guarded & optional


def test_file_of_the_secrets_is_ignored_by_git() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_mounted_file_exists_and_every_volume_is_declared(compose: dict[str, Any]) -> None:
    mounts = [mount.split(":")[0] for one in compose["services"].values() for mount in one.get("volumes", [])]
    files = [ROOT / source for source in mounts if source.startswith(".")]
    assert [str(file) for file in files if not file.is_file()] == []
    assert {source for source in mounts if not source.startswith(".")} == compose["volumes"].keys()


def test_every_image_of_another_is_pinned_and_names_no_host(compose: dict[str, Any]) -> None:
    images = [one["image"] for one in compose["services"].values() if "build" not in one]
    pinned = re.compile(r"(?:[a-z]+/)?[a-z]+:v?\d+[\w.-]*")
    assert [image for image in images if not pinned.fullmatch(image)] == []


def test_balancer_and_prometheus_know_exactly_the_nodes() -> None:
    port = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[0]
    addresses = [f"{hub}:{port}" for hub in HUBS]
    balancer = (ROOT / "deploy/haproxy.cfg").read_text()
    assert re.findall(r"^ +server \S+ (\S+)$", balancer, re.MULTILINE) == addresses
    prometheus = YAML(typ="safe").load(ROOT / "deploy/prometheus.yml")
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": addresses}]


def test_no_client_has_to_stick_to_a_node_since_each_can_pass_requests_on(compose: dict[str, Any]) -> None:
    balancer = (ROOT / "deploy/haproxy.cfg").read_text()
    assert "stick on" not in balancer
    for hub in HUBS:
        environment = compose["services"][hub]["environment"]
        assert environment["SPARKLE_CLUSTER_HOST"] == hub
        assert environment["SPARKLE_CLUSTER_PORT"] != environment["SPARKLE_PORT"]
        assert environment["SPARKLE_CLUSTER_SECRET"].startswith("${CLUSTER_SECRET:?")


def test_prometheus_reads_the_token_where_compose_mounts_it(compose: dict[str, Any]) -> None:
    authorization = YAML(typ="safe").load(ROOT / "deploy/prometheus.yml")["scrape_configs"][0]["authorization"]
    (secret,) = compose["services"]["prometheus"]["secrets"]
    assert authorization == {"credentials_file": f"/run/secrets/{secret}"}
    assert compose["secrets"][secret] == {"environment": "METRICS_TOKEN"}


def test_dockerfile_has_no_fault() -> None:
    assert dockerfile.faults(DOCKERFILE, ROOT) == []


def test_image_holds_every_package_of_the_distribution() -> None:
    copied = {one.words[0] for one in dockerfile.read(DOCKERFILE) if one.name == "COPY"}
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert packages <= copied
    assert "requirements/run.txt" in copied


def test_build_context_has_what_is_copied_and_no_secret() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for one in dockerfile.read(DOCKERFILE)
        if one.name == "COPY" and "--from=" not in one.arguments
        for source in one.words[:-1]
    }
    assert lines[0] == "*"
    assert let_in == copied
    assert not any(fnmatch.fnmatch(name, pattern) for name in (".env", ".sparkle", ".git") for pattern in let_in)


@pytest.mark.parametrize(
    ("fragment", "fault"),
    [
        ("COPPY LICENSE x", "COPPY is no instruction"),
        ("ADD LICENSE x", "ADD fetches"),
        ("COPY LICENSE no-such-file x/", "COPY no-such-file: not in the repository"),
        ("FROM python\nUSER 1", "python is not pinned"),
        ("FROM python:latest\nUSER 1", "python:latest is not pinned"),
        ("FROM python:3.12-slim", "runs as root"),
        ("USER root", "runs as root"),
        ("USER 0:0", "runs as root"),
        ("CMD serve", "CMD serve: not a JSON list"),
        ("HEALTHCHECK --interval=5s \\\n  CMD exit 1", "not a JSON list"),
    ],
)
def test_checker_finds_a_fault(fragment: str, fault: str) -> None:
    (found,) = dockerfile.faults(f"FROM python:3.12-slim\nUSER 10001\n{fragment}\n", ROOT)
    assert fault in found
