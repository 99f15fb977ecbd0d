"""The logs of `edu run` do not grow for ever."""

import subprocess
import sys

from edu_platform.cli.run import keep_small

WRITER = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def test_a_log_is_put_aside_while_somebody_writes_to_it(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab") as out:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=out, text=True, bufsize=1
        )
    for round_ in range(3):
        writer.stdin.write(f"{round_}" * 100 + "\n")
        while not log.stat().st_size:
            pass
        keep_small(log, 101)
        assert log.stat().st_size == 101, "not yet too large"
        keep_small(log, 100)
        assert log.stat().st_size == 0
        assert (tmp_path / "web.log.1").read_text() == f"{round_}" * 100 + "\n"
    writer.stdin.close()
    writer.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1"]


def test_where_it_cannot_be_put_aside_it_is_emptied(tmp_path):
    log = tmp_path / "web.log"
    log.write_bytes(b"x" * 200)
    (tmp_path / "web.log.1").symlink_to("/dev/full")
    keep_small(log, 100)
    assert log.stat().st_size == 0
    assert not (tmp_path / "web.log.1").is_symlink()
