"""Ladders and books are the compiled ones exactly when there are any."""

from predsurv.state import book, compiled, ladder


def test_both_follow_the_same_answer() -> None:
    native = compiled.native
    assert ladder.Ladder is (ladder.PythonLadder if native is None else native.NativeLadder)
    assert book.BookCore is (book.PythonBookCore if native is None else native.NativeBookCore)
