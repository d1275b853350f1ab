"""What `check` returns: findings, each with what to do."""

import dataclasses
import textwrap


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is probably wrong.

    Attributes:
        name: String for programs, such as `"pixels_too_small"`.
        what: String, what was seen, with its numbers.
        remedy: String, what to do.
        fatal: Boolean. Whether training cannot succeed, as with NaN in the
            images. Defaults to `False`.
    """

    name: str
    what: str
    remedy: str
    fatal: bool = False


@dataclasses.dataclass(frozen=True)
class Preflight:
    """What `check` has found; print it.

    Attributes:
        findings: Tuple of `Finding`, empty where all is well.
        facts: Tuple of strings: what was looked at, with its numbers.
        seconds: Float, how long it took.

    Example:

    >>> print(Preflight((), ("loss 2.31, ln(classes) 2.30",), 0.4))
    Preflight: nothing suspicious (loss 2.31, ln(classes) 2.30; 0.4 s)
    """

    findings: tuple
    facts: tuple
    seconds: float

    @property
    def fatal(self):
        """Whether one of the findings is."""
        return any(finding.fatal for finding in self.findings)

    def record(self):
        """A dict which JSON can hold."""
        return dataclasses.asdict(self)

    def __str__(self):
        facts = "; ".join((*self.facts, f"{self.seconds:.1f} s"))
        if not self.findings:
            return f"Preflight: nothing suspicious ({facts})"
        count = len(self.findings)
        lines = [f"Preflight: {count} finding{'s'[: count > 1]} ({facts})"]
        for number, finding in enumerate(self.findings, 1):
            for start, text in (
                (f"{number}. ", finding.what),
                ("   What to do: ", finding.remedy),
            ):
                lines += textwrap.wrap(
                    text, 79, initial_indent=start, subsequent_indent="   "
                )
        return "\n".join(lines)
