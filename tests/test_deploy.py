"""What `deploy/` says is what the project is: its commands are the Procfile's, its variables the settings, its files there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from honcho.environ import parse_procfile

from settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("alert-router*"))
PROCESSES = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
OF_THE_IMAGES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
OF_THE_PROCFILE = set(re.findall(r"\$\{([A-Z_]+)", PROCESSES["web"]))
SETTINGS = {name.upper() for name in Settings.model_fields} | OF_THE_PROCFILE


def commands(unit: str) -> str:
    """What it starts."""
    return "\n".join(re.findall(r"^ExecStart=(.*)$", (DEPLOY / "systemd" / unit).read_text(encoding="utf-8"), re.MULTILINE))


def test_the_units_start_what_the_procfile_starts() -> None:
    assert f"/bin/sh -c '{PROCESSES['web']}'" == commands("alert-router-web.service")
    assert commands("alert-router-worker@.service").endswith(PROCESSES["worker"].removeprefix("exec "))
    assert commands("alert-router-migrate.service").endswith(PROCESSES["release"].removeprefix("exec "))


def test_the_image_starts_what_the_procfile_starts() -> None:
    assert f'CMD ["/bin/sh", "-c", "{PROCESSES["web"]}"]' in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert ["exec", *services["worker"]["command"]] == PROCESSES["worker"].split()
    assert ["exec", *services["migrate"]["command"]] == PROCESSES["release"].split()
    assert "command" not in services["web"]


def test_each_variable_is_a_setting() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    named = {name for service in compose["services"].values() for name in service.get("environment", {})}
    named |= set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "systemd" / "environment.example").read_text(encoding="utf-8"), re.MULTILINE))

    assert named <= SETTINGS | OF_THE_IMAGES


def test_what_the_image_is_made_of_is_there_and_is_all_of_the_program() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    copied = {name for line in lines for name in line.split()[:-1]}
    program = {path.name for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "demo"}
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert all((ROOT / name).exists() for name in copied)
    assert program <= copied
    assert {f"!{name}" for name in copied} <= set(kept_out)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here: the units are not checked")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = re.sub(r"^(User|WorkingDirectory|EnvironmentFile)=.*$", "", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text.replace("/opt/alert-router/.venv/bin/", "/bin/true "))
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.glob("*.service")))]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of this system

    assert [line for line in shown.stderr.splitlines() if "alert-router" in line] == []
