from predsurv.state import book
from predsurv.state.ladder import PythonLadder

EDITION: int

class NativeLadder(PythonLadder): ...
class NativeBookCore(book.PythonBookCore): ...
