import numpy as np

width: int
digits: int

def add(sums: np.ndarray, numbers: np.ndarray, groups: np.ndarray | None = ...) -> None: ...
def carry(sums: np.ndarray) -> None: ...
