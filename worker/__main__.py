"""`python -m worker` runs the command `content-sync`."""

from worker.cli import main

if __name__ == "__main__":
    main()
