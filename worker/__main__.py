"""`python -m worker`: the same as the command `content-sync`."""

from worker.cli import main

if __name__ == "__main__":
    main()
