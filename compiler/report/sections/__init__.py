"""Sections of the page, one a file: findings in, an element out."""
