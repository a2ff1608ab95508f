"""`credentials.toml`: private, atomic, never written over when it cannot be understood."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.credentials_file import CredentialsFile, Entry, checked_key
from llm_client.storage.paths import credentials_path
from llm_client.storage.seen_keys import seen_keys
from llm_client.types.secret import Secret

KEY = "sk-test-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> CredentialsFile:
    return CredentialsFile(tmp_path / "config" / "credentials.toml")


def written(file: CredentialsFile, text: str | bytes, mode: int = 0o600) -> CredentialsFile:
    file.path.parent.mkdir(mode=0o700, exist_ok=True)
    file.path.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.path.chmod(mode)
    return file


def key(text: str) -> Entry:
    return Entry(Secret(text))


@pytest.mark.parametrize(
    ("source", "environ", "expected"),
    [
        (None, {"HOME": "/h"}, "/h/.config/llm_client/credentials.toml"),
        (None, {"XDG_CONFIG_HOME": "/x"}, "/x/llm_client/credentials.toml"),
        (None, {"LLM_CLIENT_CONFIG": "/c/mine.toml"}, "/c/credentials.toml"),
        ("/d/config.json", {"HOME": "/h"}, "/d/credentials.toml"),
        ("/d/config.toml", {"LLM_CLIENT_CREDENTIALS": "/e/keys"}, "/e/keys"),
    ],
)
def test_file_stands_beside_the_configuration(
    source: str | None, environ: dict[str, str], expected: str
) -> None:
    assert str(credentials_path(source, environ)) == expected


def test_what_is_put_is_read(file: CredentialsFile) -> None:
    assert file.read() == {}
    file.put("openai", key(KEY))
    file.put("anthropic", Entry(keyring=True))
    assert file.read() == {"openai": key(KEY), "anthropic": Entry(keyring=True)}
    file.put("openai", Entry(keyring=True))
    file.put("anthropic", Entry())
    assert file.read() == {"openai": Entry(keyring=True)}
    assert KEY not in file.path.read_text()


def test_file_and_directory_are_private(file: CredentialsFile) -> None:
    before = os.umask(0)
    try:
        file.put("openai", key(KEY))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text",
    ["plain", "it's", 'say "key"', "back\\slash", "''' and \"\"\"", "#no-comment", "a b", "{}[]=,"],
)
def test_odd_key_comes_back(text: str, file: CredentialsFile) -> None:
    file.put("openai", key(text))
    file.put("other", key("something-else"))
    assert file.read()["openai"] == key(text)


@pytest.mark.parametrize(
    "name", ["my.work-llm", "two words", 'a"b', "a'b", "ключ", "a/b", "[x]", "#", "x\ny", "\x1b"]
)
def test_odd_provider_comes_back(name: str, file: CredentialsFile) -> None:
    file.put(name, key(KEY))
    file.put("openai", key("something-else"))
    assert file.read()[name] == key(KEY)
    file.put(name, Entry())
    assert [*file.read()] == ["openai"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("sk-one\nsk-two", "has a line break that no request can carry"),
        ("sk-\x1b[0m", "has a character that no request can carry"),
        ("sk-tab\tbed", "has a character that no request can carry"),
        ("schlüssel-0123", "has a character that no request can carry"),
    ],
    ids=repr,
)
def test_key_that_cannot_be_sent_is_refused_unseen(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        checked_key(text, "openai")
    assert not text.strip() or text.strip() not in str(caught.value) + str(caught.value.hint)


def test_key_loses_the_blanks_around_it_and_is_noted() -> None:
    assert checked_key(" noted-key-0123\r\n", "openai") == Secret("noted-key-0123")
    assert Secret("noted-key-0123") in seen_keys()


HAND_WRITTEN = f"""# my keys
[openai]            # at work
# changed every month
api_key = "{KEY}"  # the new one

[mistral]
keyring = true

# the last
[groq]
api_key = "gsk_other"
"""


def test_comments_and_order_of_the_user_stay(file: CredentialsFile) -> None:
    written(file, HAND_WRITTEN)
    file.put("openai", key("sk-new"))
    assert file.path.read_text() == HAND_WRITTEN.replace(KEY, "sk-new")
    file.put("mistral", Entry())
    assert file.path.read_text() == HAND_WRITTEN.replace(KEY, "sk-new").replace(
        "[mistral]\nkeyring = true\n\n# the last\n", ""
    )


@pytest.mark.parametrize(
    "text",
    [
        'openai.api_key = "sk-old"\n',
        'openai = { api_key = "sk-old" }\n',
        '"openai" = { api_key = "sk-old", keyring = false }\n[groq]\napi_key = "g"\n',
        '[OpenAI]\napi_key = "sk-old"\n',
        '\ufeff[openai]\napi_key = "sk-old"\n',
        '[openai]\r\napi_key = "sk-old"\r\n',
        '[groq]\napi_key = "g"\n[openai]\napi_key = """sk-old"""',
    ],
)
def test_unusual_form_is_understood_and_changed(text: str, file: CredentialsFile) -> None:
    written(file, text)
    others = {name: entry for name, entry in file.read().items() if name != "openai"}
    assert file.read()["openai"].api_key == Secret("sk-old")
    file.put("openai", key("sk-new"))
    assert file.read() == {**others, "openai": key("sk-new")}
    file.put("openai", Entry())
    assert file.read() == others


def test_entry_that_is_there_already_leaves_the_file_alone(file: CredentialsFile) -> None:
    file.put("openai", key(KEY))
    before = file.path.stat()
    file.put("openai", key(KEY))
    file.put("nobody", Entry())
    assert file.path.stat().st_ino == before.st_ino


BROKEN = {
    "no TOML": ('[openai]\napi_key = "x\n', "line 2: it is not TOML"),
    "no TOML at the end": ("[openai", "line 1: it is not TOML"),
    "not UTF-8": (b"# \n[openai]\napi_key = '\xff'\n", "line 3: it is not UTF-8"),
    "no table": (f'openai = "{KEY}"\n', "line 1: 'openai' must be a table"),
    "unknown": (f'[openai]\napi_kye = "{KEY}"\n', "line 2: there is no setting 'api_kye'"),
    "a number": ("[openai]\napi_key = 123456789\n", "line 2: openai.api_key must be a text"),
    "no flag": (f'[openai]\nkeyring = "{KEY}"\n', "line 2: openai.keyring must be true or false"),
    "a line break": (f'[openai]\napi_key = "{KEY}\\n2"\n', "line 2: The key .* a line break"),
    "too deep": ("a = " + "[" * 100_000, "it is not TOML"),
    "too long": ("#" * 1_000_001, "are no list of keys"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_file_that_cannot_be_understood_is_never_written_over(
    text: str | bytes, message: str, file: CredentialsFile
) -> None:
    written(file, text)
    before = file.path.read_bytes()
    for attempt in (file.read, lambda: file.put("openai", key("sk-new"))):
        with pytest.raises(ConfigurationError, match=message) as caught:
            attempt()
        assert KEY not in str(caught.value) + str(caught.value.hint)
        assert "123456789" not in str(caught.value)
        assert str(file.path) in str(caught.value)
    assert file.path.read_bytes() == before
    assert os.listdir(file.path.parent) == ["credentials.toml"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("api_kye", "Did you mean 'api_key'?"), ("timeout", "Known: api_key, keyring.")],
)
def test_unknown_setting_names_the_nearest(name: str, hint: str, file: CredentialsFile) -> None:
    written(file, f"[openai]\n{name} = 1\n")
    with pytest.raises(ConfigurationError) as caught:
        file.read()
    assert caught.value.hint == hint


def test_blank_key_is_none(file: CredentialsFile) -> None:
    assert written(file, '[openai]\napi_key = " "\n').read() == {"openai": Entry()}


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o777], ids=oct)
def test_file_that_others_can_read_is_refused_with_the_fix(
    mode: int, file: CredentialsFile
) -> None:
    written(file, f'[openai]\napi_key = "{KEY}"\n', mode)
    for attempt in (file.read, lambda: file.put("groq", key("g"))):
        with pytest.raises(ConfigurationError, match="Others can read") as caught:
            attempt()
        assert f"`chmod 600 {file.path}`" in str(caught.value.hint)
    file.path.chmod(0o600)
    assert file.read() == {"openai": key(KEY)}


def test_file_of_another_user_is_refused(
    file: CredentialsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(file, "")
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    with pytest.raises(
        ConfigurationError, match=f"belong to user {real}, and not to you"
    ) as caught:
        file.read()
    assert f"`sudo chown {real + 1} {file.path}`" in str(caught.value.hint)


def test_superuser_is_not_told_to_take_the_file(
    file: CredentialsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(file, "")
    found = os.stat_result((stat.S_IFREG | 0o600, 0, 0, 1, 1000, 0, 0, 0, 0, 0))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fstat", lambda _: found)
    with pytest.raises(ConfigurationError, match="belong to user 1000") as caught:
        file.read()
    assert caught.value.hint == "Run this as that user, without `sudo`."


def test_command_that_corrects_it_names_any_path(tmp_path: Path) -> None:
    file = CredentialsFile(tmp_path / "my keys" / "credentials.toml")
    file.put("openai", key(KEY))
    file.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others can read") as caught:
        file.read()
    assert f"`chmod 600 '{file.path}'`" in str(caught.value.hint)


def test_provider_that_stands_there_twice_is_told(file: CredentialsFile) -> None:
    text = '[openai]\napi_key = "a"\n["OpenAI"]\napi_key = "b"\n'
    written(file, text)
    for attempt in (file.read, lambda: file.put("groq", key(KEY))):
        with pytest.raises(ConfigurationError, match="line 3: 'openai' stands there twice"):
            attempt()
    assert file.path.read_text() == text


def test_entry_without_anything_is_taken_out(file: CredentialsFile) -> None:
    written(file, "[openai]\n# nothing\n[groq]\n")
    file.put("openai", Entry())
    assert file.path.read_text() == "[groq]\n"


def test_directory_that_others_can_write_is_refused(file: CredentialsFile) -> None:
    written(file, "")
    file.path.parent.chmod(0o770)
    for attempt in (file.read, lambda: file.put("openai", key(KEY))):
        with pytest.raises(ConfigurationError, match="can be written by others") as caught:
            attempt()
        assert caught.value.hint == f"`chmod go-w {file.path.parent}`."
    assert file.path.read_bytes() == b""


def test_new_file_is_not_put_where_others_can_write(file: CredentialsFile) -> None:
    file.path.parent.mkdir()
    file.path.parent.chmod(0o777)
    with pytest.raises(ConfigurationError, match="can be written by others"):
        file.put("openai", key(KEY))
    assert os.listdir(file.path.parent) == []


def test_link_is_followed_and_stays(file: CredentialsFile, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "keys.toml"
    file.path.parent.mkdir()
    file.path.symlink_to(real)
    assert file.read() == {}  # it dangles
    file.put("openai", key(KEY))
    file.put("groq", key("g"))
    assert file.path.is_symlink()
    assert CredentialsFile(real).read() == {"openai": key(KEY), "groq": key("g")}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    real.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others can read"):
        file.read()


def test_link_into_a_directory_that_others_can_write_is_refused(
    file: CredentialsFile, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    file.path.parent.mkdir()
    file.path.symlink_to(shared / "keys.toml")
    with pytest.raises(ConfigurationError, match=r"shared.* can be written by others"):
        file.put("openai", key(KEY))
    assert os.listdir(shared) == []


def test_links_in_a_circle_are_told(file: CredentialsFile) -> None:
    file.path.parent.mkdir()
    file.path.symlink_to(file.path.with_name("b"))
    file.path.with_name("b").symlink_to(file.path)
    for attempt in (file.read, lambda: file.put("openai", key(KEY))):
        with pytest.raises(ConfigurationError, match="credentials"):
            attempt()


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_refused_without_waiting(kind: str, file: CredentialsFile) -> None:
    file.path.parent.mkdir()
    if kind == "directory":
        file.path.mkdir()
    else:
        os.mkfifo(file.path)
    for attempt in (file.read, lambda: file.put("openai", key(KEY))):
        with pytest.raises(ConfigurationError, match="are no file"):
            attempt()


def test_file_where_a_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    file = CredentialsFile(tmp_path / "config" / "credentials.toml")
    assert file.read() == {}
    with pytest.raises(ConfigurationError, match="Cannot write the credentials"):
        file.put("openai", key(KEY))


def test_change_that_would_harm_another_entry_is_not_made(
    file: CredentialsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_client.storage import credentials_file

    written(file, HAND_WRITTEN)
    monkeypatch.setattr(credentials_file, "_changed", lambda *_: '[openai]\napi_key = "sk-new"\n')
    with pytest.raises(ConfigurationError, match="without harm to another"):
        file.put("openai", key("sk-new"))
    assert file.path.read_text() == HAND_WRITTEN


WRITER = """
import sys
from pathlib import Path
from llm_client.storage.credentials_file import CredentialsFile, Entry
from llm_client.types.secret import Secret
for number in range(15):
    CredentialsFile(Path(sys.argv[1])).put(f"{sys.argv[2]}-{number}", Entry(Secret("k")))
"""


def test_processes_that_write_at_once_lose_nothing(file: CredentialsFile) -> None:
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file.path), name], env=environ)
        for name in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert len(file.read()) == 60
    assert os.listdir(file.path.parent) == ["credentials.toml"]
