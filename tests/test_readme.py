"""README's commands print what README says, and samples/ is what its script makes."""

import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import openpyxl
import pytest

from bulkload import cli
from samples import make

ROOT = Path(__file__).parent.parent


def sessions() -> list[tuple[str, str]]:
    """The commands of README's console blocks and what each is said to print."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def plain(text: str) -> str:
    """Without what differs from run to run: times, runs, ports, worlds."""
    text = re.sub(r"127\.0\.0\.1:[0-9]+/[0-9a-f]+", "127.0.0.1:PORT/WORLD", text)
    text = re.sub(r"[0-9]{8}-[0-9]{6}(-[0-9a-f]{4})?", "RUN", text)
    return re.sub(r"Log: .*", "Log: LOG", text)


def session(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Run README's commands as a person would, in a folder with the samples; what each prints."""
    shutil.copytree(ROOT / "samples", folder / "samples")
    environment.chdir(folder)
    environment.setenv("XDG_DATA_HOME", str(folder / "data"))
    for command, _ in sessions():
        assert command.startswith("bulkload ")
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            cli.run(command.split()[1:])
        yield command, printed.getvalue()


def test_readmes_sessions_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = [(command, plain(text)) for command, text in session(tmp_path, monkeypatch)]
    assert printed == [(command, plain(text)) for command, text in sessions()]


def cells(path: Path) -> dict[str, list[tuple[object, ...]]]:
    book = openpyxl.load_workbook(path)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def test_samples_are_what_the_script_makes(tmp_path: Path) -> None:
    make.make(tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    # README's first command leaves a result beside its sample.
    here = {path.name for path in (ROOT / "samples").iterdir() if ".result" not in path.name}
    assert made == here - {"make.py", "__pycache__"}
    for name in made:
        if name.endswith(".xlsx"):
            assert cells(tmp_path / name) == cells(ROOT / "samples" / name), name
        else:
            assert (tmp_path / name).read_bytes() == (ROOT / "samples" / name).read_bytes(), name


def write_again() -> None:
    """Put into README what its commands print now: python -m tests.test_readme."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        old = dict(sessions())
        for command, printed in session(Path(folder), environment):
            shown = printed.replace(f"{folder}/data", "~/.local/share")
            text = text.replace(f"$ {command}\n{old[command]}```", f"$ {command}\n{shown}```")
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_again()
