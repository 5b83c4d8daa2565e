"""What `deploy/` says is what the project is: its commands are the Procfile's, its variables the settings, its files there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
import yaml
from honcho.environ import parse_procfile

from app import create_app
from settings import Settings
from tests.factories import SECRET
from tests.service import Service, environment
from tests.vendors import critical_error
from worker import STOP_SECONDS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PROCESSES = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
OF_THE_IMAGES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
OF_THE_RULES = set(re.findall(r"\$\{([A-Z_]+)\}", (ROOT / "rules.yaml").read_text(encoding="utf-8")))
OF_THE_PROCFILE = set(re.findall(r"\$\{([A-Z_]+)", PROCESSES["web"]))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
PAGES = (DEPLOY / "README.md", ROOT / "docs" / "explanation" / "sizes.md")
SETTINGS = {name.upper() for name in Settings.model_fields} | OF_THE_PROCFILE | OF_THE_RULES


@pytest.mark.parametrize(("unit", "process"), [("web@", "web"), ("worker@", "worker"), ("release", "release")])
def test_the_units_start_what_the_procfile_starts(unit: str, process: str) -> None:
    assert said(unit)["ExecStart"] == "/bin/sh -c '{}'".format(PROCESSES[process].replace("$", "$$"))


def test_the_containers_start_what_the_procfile_starts() -> None:
    assert f'CMD ["sh", "-c", "{PROCESSES["web"]}"]' in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert {name: COMPOSE[name]["command"] for name in PROCESSES} == {
        name: ["sh", "-c", command.replace("$", "$$")] for name, command in PROCESSES.items()
    }


@pytest.mark.parametrize("process", ["web", "worker"])
def test_the_tables_are_there_before_anybody_needs_them(process: str) -> None:
    unit, service = said(f"{process}@"), COMPOSE[process]

    assert unit["Wants"] == unit["After"] == "alert-router-release.service"
    assert service["depends_on"]["release"]["condition"] == "service_completed_successfully"
    assert COMPOSE["release"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_a_worker_is_given_the_time_that_it_takes_to_end() -> None:
    promised = STOP_SECONDS + 6  # worker.py: gone within ten seconds

    assert int(said("worker@")["TimeoutStopSec"]) > promised
    assert int(COMPOSE["worker"]["stop_grace_period"].removesuffix("s")) > promised


def test_two_web_processes_share_a_port_so_that_one_answers_while_the_other_is_restarted(
    tmp_path: Path, postgresql_url: str, redis_url: str
) -> None:
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
    variables = environment(postgresql_url, redis_url)
    with Service(environment=variables, folder=folders[0]) as first, Service(environment=variables, folder=folders[1]) as second:
        first.start_web()
        second.start_web(first.port)
        second.until("the second one listens, too", lambda: "Started worker-1" in second.log("web"))
        first.end_web()

        statuses = [second.post(critical_error(number))[0] for number in range(20)]

    assert statuses == [202] * 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_taken_as_it_stands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = create_app(Settings.from_variables({"SENTRY_CLIENT_SECRETS": SECRET, "DATA_DIR": str(tmp_path)})).cli
    groups = "|".join(cli.commands)
    shown = re.findall(rf"\b(?:flask|alert-router) ((?:{groups}) [^`\n]+)", page.read_text(encoding="utf-8"))
    monkeypatch.chdir(ROOT)

    assert len(shown) >= 3
    for words in map(shlex.split, shown):
        group = cli.commands[words[0]]
        assert isinstance(group, click.Group)
        group.commands[words[1]].make_context(words[1], words[2:])


def test_every_line_of_the_log_that_the_page_of_sizes_names_is_logged() -> None:
    sources = (*ROOT.glob("*.py"), *ROOT.glob("storage/*.py"), *ROOT.glob("web/*.py"))
    logged = {name for path in sources for name in re.findall(r"log\.\w+\(\s*\"(\w+)\"", path.read_text(encoding="utf-8"))}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGES[1].read_text(encoding="utf-8")))

    assert named - {"group_by", "max_per_minute"} <= logged
    assert {"event_not_stored", "redis_away"} <= named


def test_each_variable_is_a_setting_or_named_in_the_rules() -> None:
    named = {name for service in COMPOSE.values() for name in service.get("environment", {})}
    for path in ("compose.env.example", "systemd/environment.example"):
        named |= set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / path).read_text(encoding="utf-8"), re.MULTILINE))

    assert named <= SETTINGS | OF_THE_IMAGES


def test_what_the_image_is_made_of_is_there_and_is_all_of_the_program() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    copied = {name for line in lines for name in line.split()[:-1]}
    program = {path.name for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert all((ROOT / name).exists() for name in copied)
    assert program - {"tests", "demo", "local.py"} <= copied
    assert {f"!{name}" for name in copied} <= set(kept_out)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here: the units are not checked")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    of_this_machine = r"^(User|WorkingDirectory|EnvironmentFile)=.*$"
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for path in (*tmp_path.glob("*.service"), *tmp_path.glob("*.d/*.conf")):
        path.write_text(re.sub(of_this_machine, "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    names = [path.name.replace("@.", "@1.") for path in sorted(tmp_path.glob("*.service"))]
    command = ["systemd-analyze", "verify", *names]
    variables = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)  # noqa: S603 - of this system

    assert [line for line in shown.stderr.splitlines() if "alert-router" in line] == []


def said(unit: str) -> Mapping[str, str]:
    """What a unit says, by its directives."""
    text = (DEPLOY / "systemd" / f"alert-router-{unit}.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
