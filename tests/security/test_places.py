"""The leak tests can fail: a key that is put into any place is found there, in every form."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from .places import PLACES, search
from .sources import SHAPED, UNSHAPED
from .world import Ran, World


def printed(world: World, **streams: str) -> None:
    data = {"stdout": "", "stderr": "", "logs": "", **streams}
    world.runs.append(
        Ran(("x",), 0, *(data[name].encode() for name in ("stdout", "stderr", "logs")))
    )


def started(world: World) -> None:
    subprocess.run([sys.executable, "-c", "", UNSHAPED], check=True)


def written(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"x{UNSHAPED}x", encoding="utf-8")


PLANTS: dict[str, Callable[[World], object]] = {
    "stdout": lambda world: printed(world, stdout=f"key: {UNSHAPED}"),
    "stderr": lambda world: printed(world, stderr=f"key: {UNSHAPED}"),
    "logs": lambda world: printed(world, logs=f"key: {UNSHAPED}"),
    "programs": started,
    "processes": lambda world: world.processes.append(("/proc/1/cmdline", UNSHAPED.encode())),
    "home": lambda world: written(world.home / ".local" / "share" / "llm_client" / "any.file"),
    "temp": lambda world: written(world.temp / "tmpabc"),
    "work": lambda world: written(world.work / "answer.txt"),
    "elsewhere": lambda world: world.elsewhere.append(("GET /", UNSHAPED.encode())),
}


def test_every_place_has_a_plant() -> None:
    assert PLANTS.keys() == PLACES.keys()


@pytest.mark.parametrize("place", PLACES)
def test_key_that_is_put_into_a_place_is_found_there(world: World, place: str) -> None:
    assert world.finds(UNSHAPED) == []
    PLANTS[place](world)
    assert {find.place for find in world.finds(UNSHAPED)} == {place}


def test_key_is_found_in_the_names_of_files_and_the_ends_of_links(world: World) -> None:
    (world.home / UNSHAPED).mkdir()
    (world.home / "link").symlink_to(f"/nowhere/{UNSHAPED}")
    found = [find.where for find in world.finds(UNSHAPED)]
    assert found == [f"the name of {world.home / UNSHAPED}", f"the link {world.home / 'link'}"]


def test_key_is_found_in_a_database_and_its_log(world: World) -> None:
    file = world.home / "some.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE attempt (error TEXT)")
        database.commit()
        database.execute("INSERT INTO attempt VALUES (?)", (f"bad key {UNSHAPED}",))
        database.commit()
        found = {Path(find.where).name for find in world.finds(UNSHAPED)}
    assert found == {"some.sqlite-wal"}


def test_key_in_the_variables_of_a_program_is_found_unless_the_user_has_it_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", UNSHAPED)
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert [find.place for find in world.finds(UNSHAPED)] == ["programs"]
    world.has_key_in_variables = True
    assert world.finds(UNSHAPED) == []


def test_key_where_it_belongs_is_no_find(world: World) -> None:
    world.store("openai", UNSHAPED)
    assert world.finds(UNSHAPED) == []
    world.credentials.rename(world.directory / "credentials.bak")
    assert [find.place for find in world.finds(UNSHAPED)] == ["home"]


ODD = 'pä/ss "wörd"+\\ of=€&more'
FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "percent": lambda key: urllib.parse.quote(key, safe="").encode(),
    "percent of a form": lambda key: urllib.parse.quote_plus(key).encode(),
    "percent in small letters": lambda key: urllib.parse.quote(key, safe="").lower().encode(),
    "json": lambda key: json.dumps({"key": key}).encode(),
    "json of utf-8": lambda key: json.dumps({"key": key}, ensure_ascii=False).encode(),
    "repr": lambda key: repr(key).encode(),
    "ascii": lambda key: ascii(key).encode(),
    "utf-16": lambda key: key.encode("utf-16-le"),
    "hexadecimal": lambda key: key.encode().hex().encode(),
    "base64": lambda key: base64.b64encode(key.encode()),
    "base64 behind one byte": lambda key: base64.b64encode(b"u" + key.encode()),
    "base64 behind a user": lambda key: base64.b64encode(b"user:" + key.encode() + b"\n"),
    "base64 of an address": lambda key: base64.urlsafe_b64encode(b"us:" + key.encode() + b"@h"),
    "half": lambda key: key[: len(key) // 2].encode(),
    "the end of it": lambda key: key[-10:].encode(),
}


@pytest.mark.parametrize("key", [SHAPED, UNSHAPED, ODD])
@pytest.mark.parametrize("form", FORMS)
def test_key_is_found_in_every_form(form: str, key: str) -> None:
    assert search(b"some bytes " + FORMS[form](key) + b" and more\0", key) is not None


@pytest.mark.parametrize("key", [SHAPED, UNSHAPED, ODD])
def test_what_is_no_key_is_not_found(key: str) -> None:
    assert search(b"A word, and *** of another; last four: " + key[-4:].encode(), key) is None
