"""What every command of the kit shares: errors that a person can act on, in one line."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class UserError(Exception):
    """Something that the user can put right. The message says what was found, and what to do."""


def resolve(path):
    """A path of the command line: from the current folder or, if it is not there, from the project's root."""
    path = Path(path).expanduser()
    return path.resolve() if path.exists() or path.is_absolute() else ROOT / path


def run_command(main):
    """Run main(). A mistake that the user can mend ends with one line on stderr and exit status 1."""
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # a full disk, a folder without permission
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{where}; check the disk's space and the folder's permissions")
