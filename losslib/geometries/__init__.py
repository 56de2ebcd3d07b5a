"""Which numbers meet: elements, rows of classes, pairs of vectors, sequences. One object each."""
