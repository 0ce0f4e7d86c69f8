"""How a sandbox fails: by the fault of what runs inside, or by our own."""


class Broken(Exception):
    """A process that gives no more answers: (verdict, one sentence)."""

    @property
    def verdict(self) -> str:
        return self.args[0]

    @property
    def detail(self) -> str:
        return self.args[1]


class Unavailable(Exception):
    """The sandbox itself does not work: our failure, never the submission's."""
