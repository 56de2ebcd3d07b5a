from collections.abc import Callable

from losslib.formula.tape import Tape

class Program:
    formula: object
    def __init__(self, inputs: int, cost: float, make_tape: Callable[[int], Tape]) -> None: ...
    def prepare(self, kernel: int) -> None: ...

def operations() -> tuple[str, ...]: ...
