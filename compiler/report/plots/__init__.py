"""One picture a file: numbers in, shapes out."""
