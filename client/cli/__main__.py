"""``python -m client.cli`` is ``beacon``."""

from client.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
