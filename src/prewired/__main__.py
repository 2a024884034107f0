"""`python -m prewired` is `prewired`."""

from prewired.cli import main

if __name__ == "__main__":
    main()
