"""How a loss is declared: its fields, the table of all losses, the texts written from them."""
