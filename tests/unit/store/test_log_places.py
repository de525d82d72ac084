"""A data folder knows the log files of its runs."""

from pathlib import Path

from predsurv.store.layout import Layout
from predsurv.store.log_places import note_log, noted_logs


def test_log_files_are_found_once_each_by_their_whole_path(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    files = [tmp_path / name for name in ("b.log", "a\udcff.log")]
    for file in (*files, files[0]):
        file.touch()
        note_log(layout, file)
    assert noted_logs(layout) == sorted(files)
    assert (layout.state / "logs").stat().st_mode & 0o777 == 0o700


def test_log_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    gone, there = tmp_path / "gone.log", tmp_path / "there.log"
    gone.touch()
    there.touch()
    note_log(layout, gone)
    gone.unlink()
    assert noted_logs(layout) == []
    note_log(layout, there)
    assert noted_logs(layout) == [there]
    assert len(list((layout.state / "logs").iterdir())) == 1


def test_a_damaged_note_is_passed_over(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    file = tmp_path / "a.log"
    file.touch()
    note_log(layout, file)
    (layout.state / "logs" / "0.path").write_bytes(b"a\0b")
    (layout.state / "logs" / "1.path").mkdir()
    assert noted_logs(layout) == [file]


def test_a_folder_without_runs_has_no_log_files(tmp_path: Path) -> None:
    assert noted_logs(Layout(tmp_path / "none")) == []
