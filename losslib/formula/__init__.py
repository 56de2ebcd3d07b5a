"""A loss from a formula: the language, its expressions and their derivatives, and the program that computes them."""
