"""`python -m clawdesk_storage`: the command line."""

from clawdesk_storage.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
