"""What every command of the kit shares: errors that a person can act on, in one line."""

import contextlib
import gc
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class UserError(Exception):
    """Something that the user can put right. The message says what was found, and what to do."""


def find(path):
    """A path of the command line as it was given or, if it is not there, from the project's root."""
    path = Path(path).expanduser()
    return path if path.exists() or not (ROOT / path).exists() else ROOT / path


def resolve(path):
    """A path of the command line, absolute: from the current folder or, if it is not there, from the project's root."""
    path = Path(path).expanduser()
    return path.resolve() if path.exists() or path.is_absolute() else ROOT / path


def end_at_once(*_):
    """Ctrl-C while a command still imports torch, which takes seconds: there is nothing to save yet."""
    os.write(2, b"\nstopped\n")
    os._exit(130)


# Whoever imports this file first says it in a script of this folder; in another program Ctrl-C is not ours.
if Path(sys.argv[0]).is_file() and Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:
    signal.signal(signal.SIGINT, end_at_once)


def is_out_of_memory(error):
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error).lower())


OUT_OF_MEMORY = "there is not enough memory for this; take a smaller --batch-size, --train-k, --hidden or --d-latent"


def line(error):
    """The line that tells a person of an error."""
    if isinstance(error, OSError):  # a full disk, a folder without permission
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{where}; check the disk's space and the folder's permissions"
    return str(error)


@contextlib.contextmanager
def told(subject, failed):
    """Tell a mistake about one of several subjects in a line, and note it in the list failed: the others go on."""
    try:
        yield
    except (UserError, OSError) as error:
        text = line(error)
        print(f"error: {text if str(subject) in text else f'{subject}: {text}'}", file=sys.stderr)
        failed.append(subject)


def run_command(main):
    """Run main(). A mistake that the user can mend ends with one line on stderr and exit status 1."""
    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (UserError, OSError) as error:
        sys.exit(f"error: {line(error)}")
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(f"error: {OUT_OF_MEMORY}")
    finally:
        gc.freeze()  # else Python looks through all of torch's objects once more at its end: half a second
