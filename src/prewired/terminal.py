"""Where people read: stderr, so that stdout stays for machines."""

from rich.console import Console

people = Console(stderr=True, highlight=False)
