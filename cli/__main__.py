"""``python -m cli``: the ``recoq`` command, for processes that start it with their own interpreter."""

from cli.main import main

if __name__ == "__main__":
    main()
