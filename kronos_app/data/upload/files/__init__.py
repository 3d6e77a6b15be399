"""From the bytes of a file to a table of cells: the kinds of files, their encodings and headers."""
