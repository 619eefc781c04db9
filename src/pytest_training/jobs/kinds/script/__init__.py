"""Scripts: the options that argparse, click and typer declare, read from the syntax tree."""
