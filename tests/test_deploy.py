"""What `deploy/` says is what the project is: its commands are the Procfile's, its variables the settings, its files there."""

from __future__ import annotations

import os
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
PROCESSES = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
OF_THE_IMAGES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
OF_THE_RULES = set(re.findall(r"\$\{([A-Z_]+)\}", (ROOT / "rules.yaml").read_text(encoding="utf-8")))
OF_THE_PROCFILE = set(re.findall(r"\$\{([A-Z_]+)", PROCESSES["web"]))
SETTINGS = {name.upper() for name in Settings.model_fields} | OF_THE_PROCFILE | OF_THE_RULES


@pytest.mark.parametrize(("unit", "process"), [("web@", "web"), ("worker@", "worker"), ("release", "release")])
def test_the_units_start_what_the_procfile_starts(unit: str, process: str) -> None:
    started = re.findall(
        r"^ExecStart=(.*)$", (DEPLOY / "systemd" / f"alert-router-{unit}.service").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert started == ["/bin/sh -c '{}'".format(PROCESSES[process].replace("$", "$$"))]


def test_the_containers_start_what_the_procfile_starts() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]

    assert f'CMD ["sh", "-c", "{PROCESSES["web"]}"]' in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert {name: services[name]["command"] for name in PROCESSES} == {
        name: ["sh", "-c", command.replace("$", "$$")] for name, command in PROCESSES.items()
    }


def test_each_variable_is_a_setting_or_named_in_the_rules() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    named = {name for service in compose["services"].values() for name in service.get("environment", {})}
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
