"""Formulas of the declarations: evaluated, differentiated, printed."""
