"""What people read in tables."""

import pytest

from tollway.cli.table import print_record, print_table

_ESCAPE = "\x1b]0;owned\x07"


def test_what_callers_name_does_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"user": _ESCAPE, "tags": {_ESCAPE: [_ESCAPE]}}
    columns = (("USER", "user"), ("TAGS", "tags"))
    print_table([row], columns, empty="")
    print_record(row, columns)
    written = capsys.readouterr().out
    assert written.count("owned") == 6
    assert written.replace("\n", "").isprintable()
