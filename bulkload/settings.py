"""Where a bulkload.toml is looked for, and whose connections count."""

import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path

from bulkload.connection import FILE_NAME, Connection

USER_DIR = user_config_path("bulkload", appauthor=False)


def load_connections(
    config: Path | None = None,
    cwd: Path = Path(),
    user_dir: Path = USER_DIR,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Connection]:
    """The connections of `config` alone, or else of the project's and the user's bulkload.toml, by name.

    The project's wins over the user's connection of the same name. No file is no connection, but `config` must be
    there. Raises SettingsError, one line for each thing that is wrong in a file.
    """
    files = [path for path in (user_dir / FILE_NAME, cwd / FILE_NAME) if path.is_file()] if config is None else [config]
    if not files:
        return {}
    from bulkload.entries import read_file  # its models take a while to be built: `bulkload resources` needs none

    return {name: one for path in files for name, one in read_file(path, environ).items()}
