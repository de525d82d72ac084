from predsurv.state import book
from predsurv.state.ladder import PythonLadder

EDITION: int

class Ladder(PythonLadder): ...
class BookCore(book.BookCore): ...
