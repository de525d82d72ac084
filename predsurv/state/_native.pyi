from predsurv.state import book
from predsurv.state.ladder import PythonLadder

ABI_VERSION: int

class NativeLadder(PythonLadder): ...
class NativeBookCore(book.PythonBookCore): ...
