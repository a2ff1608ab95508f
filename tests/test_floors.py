"""The floors of DESIGN.md section 2, read from the source: who may import whom.

Imports inside functions count too. What stands under `if TYPE_CHECKING:` does not: it is never run.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import llm_client

PACKAGE = Path(llm_client.__file__).parent
FLOORS = (
    ("_version",),
    ("exceptions",),
    ("types",),
    ("wire",),
    ("providers",),
    ("dialects",),
    ("policy",),
    ("storage",),
    ("engine", "runtimes"),
    ("attachments", "discovery", "health", "model_lists", "price_list"),
    ("books", "routes"),
    ("configured",),
    ("calls",),
    ("client", "aclient"),
    ("cli",),
    ("__main__", "__init__"),
)
"""From the ground up. Parts of one floor may import each other only inside `engine | runtimes`."""
UPWARDS = {("types/config.py", "llm_client.storage.loading")}
"""`LLMConfig.load` reads a file, and belongs to the class all the same."""
HEIGHT = {part: height for height, floor in enumerate(FLOORS) for part in floor}
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 420
LONGEST_FUNCTION = 60


def part_of(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Yield the absolute names of the modules that a file imports when it runs."""
    package = ["llm_client", *file.relative_to(PACKAGE).parent.parts]
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
                continue
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def shown(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_imports_point_down(file: Path) -> None:
    part = part_of(file)
    assert part in HEIGHT, f"{part} has no floor: give it one in DESIGN.md and here"
    for name in imports(file):
        words = name.split(".")
        if words[0] != "llm_client" or len(words) < 2 or words[1] not in HEIGHT:
            continue
        if any(shown(file) == below and name.startswith(above) for below, above in UPWARDS):
            continue
        other = words[1]
        is_neighbour = {part, other} == {"engine", "runtimes"}
        assert part == other or is_neighbour or HEIGHT[other] < HEIGHT[part], f"{name} is above"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("httpx", {"engine/transport/httpx_import.py"}),
        ("httpcore", set()),
        ("typer", {"cli"}),
        ("rich", {"cli"}),
        ("click", {"cli"}),
        ("xllamacpp", {"runtimes"}),
    ],
)
def test_library_is_imported_only_at_its_home(library: str, homes: set[str]) -> None:
    found = {
        shown(file) for file in FILES for name in imports(file) if name.split(".")[0] == library
    }

    assert all(any(path == home or path.startswith(f"{home}/") for home in homes) for path in found)


@pytest.mark.parametrize("part", ["exceptions", "types", "wire", "providers", "dialects", "policy"])
def test_pure_floor_does_no_io(part: str) -> None:
    forbidden = {
        "asyncio",
        "http",
        "os",
        "select",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "time",
    }
    for file in FILES:
        if part_of(file) == part:
            assert not forbidden & {name.split(".")[0] for name in imports(file)}, shown(file)


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_file_says_what_it_owns_and_is_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert ast.get_docstring(tree), "a module docstring says what the file owns"
    assert text.count("\n") <= LONGEST_FILE, "this is two files"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature of a command is as long as its options are many.
            first = node.body[0].lineno
            length = (node.end_lineno or first) - first
            assert length <= LONGEST_FUNCTION, f"{node.name} is two functions"


def test_reader_of_imports_sees_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can only fail if this one holds."""
    monkeypatch.setattr("tests.test_floors.PACKAGE", tmp_path)
    file = tmp_path / "engine" / "deep" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import a.b\nfrom c import d\nfrom . import e\nfrom ...cli import f\n"
        "def g():\n    import h\nif TYPE_CHECKING:\n    import i\nelse:\n    import j\n"
    )

    assert {*imports(file)} == {
        "a.b",
        "c",
        "c.d",
        "llm_client.engine.deep",
        "llm_client.engine.deep.e",
        "llm_client.cli",
        "llm_client.cli.f",
        "h",
        "j",
    }


def test_import_contracts_are_kept() -> None:
    """`lint-imports` follows the imports through modules; the contracts stand in pyproject.toml."""
    root = PACKAGE.parent
    file = root / "pyproject.toml"
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if not file.exists() or "importlinter" not in tomllib.loads(file.read_text())["tool"]:
        pytest.skip("no contracts here: the package is installed without its project")
    if command is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [command, "--no-cache"], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout
