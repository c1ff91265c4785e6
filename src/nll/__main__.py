"""`python -m nll` is the command `nll`."""

from nll.cli import main

if __name__ == "__main__":
    main(prog_name="nll")
