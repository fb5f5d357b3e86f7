"""What stops a run, as exceptions; trouble with one row is a `Finding` or an `Outcome` instead.

Named by what the reader does next. Each carries the exit status that the command line ends with.

    BulkloadError                 70  a fault of ours
    ├── UsageError                 2  correct the command
    ├── UnusableFile               2  correct or save the file again
    ├── UnusableDocument           2  correct the OpenAPI document
    ├── SettingsError              2  correct bulkload.toml, the environment or the keyring
    ├── SignInError                2  correct the credentials
    ├── NotConfirmed               2  say yes
    └── DiskError                 74  make room, or choose another place
"""


class BulkloadError(Exception):
    """The base of all that a run can stop with. `str()` is one line for a person: place, what is wrong, next step."""

    exit_code = 70


class UsageError(BulkloadError):
    """The command line asks for something that can't be: an unknown resource, two options that exclude each other."""

    exit_code = 2


class UnusableFile(BulkloadError):
    """The input file can't be used as it is: damaged, of another kind, or with a header that doesn't fit."""

    exit_code = 2


class UnusableDocument(BulkloadError):
    """The OpenAPI document can't be read, or uses a word of ours wrongly."""

    exit_code = 2


class SettingsError(BulkloadError):
    """A connection lacks something, or says something that can't be: names the key, the connection and the file."""

    exit_code = 2


class SignInError(BulkloadError):
    """The API or its sign-in service refused the credentials before any row was sent."""

    exit_code = 2


class NotConfirmed(BulkloadError):
    """A person was asked before sending, or could not be asked, and did not say yes."""

    exit_code = 2


class DiskError(BulkloadError):
    """The journal or a result can't be written or read: the disk is full, read-only, or the file is damaged."""

    exit_code = 74
