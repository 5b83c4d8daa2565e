"""How many of Sentry's samples are accepted and rejected, by file: `python -m tests.routing.search_syntax_table`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from routing.query import QueryError, parse
from tests.routing.search_syntax import FOLDER, Sample, read_samples, say_tokens, say_tree


class Outcome(StrEnum):
    """What we make of a sample; the columns of the table."""

    ACCEPTED = "accepted"
    """As Sentry does, and taken apart alike."""
    REJECTED = "rejected"
    """As Sentry does."""
    CONFIGURED = "configured"
    """Sentry reads it under other settings; nothing to compare with."""
    DIFFERENT = "different"


def judge(sample: Sample) -> tuple[Outcome, str]:
    """What we make of a sample, and where we differ from Sentry."""
    try:
        said = say_tree(parse(sample.query).tree)
    except QueryError as error:
        said = f"rejected, {error}"
    if sample.is_configured:
        return Outcome.CONFIGURED, ""
    wanted = "rejected" if sample.is_rejected else say_tokens(sample.tokens)
    if sample.is_rejected and said.startswith("rejected, "):
        return Outcome.REJECTED, ""
    return (Outcome.ACCEPTED, "") if said == wanted else (Outcome.DIFFERENT, f"{sample.query!r}\n    ours:   {said}\n    Sentry: {wanted}")


def draw_table(samples: Sequence[Sample]) -> str:
    """A line for each file with its counts, one for all, and below each query that we read differently."""
    judged = [(sample.file, *judge(sample)) for sample in samples]
    counts = Counter((file, outcome) for file, outcome, _ in judged) + Counter(("all", outcome) for _, outcome, _ in judged)
    files = [*dict.fromkeys(file for file, _, _ in judged), "all"]
    width = max(map(len, files))
    lines = [f"{'':{width}}  {'  '.join(Outcome)}"]
    lines += [f"{file:{width}}  {'  '.join(f'{counts[file, outcome]:{len(outcome)}}' for outcome in Outcome)}" for file in files]
    return "\n".join([*lines, *(f"{file}: {difference}" for file, _, difference in judged if difference)])


def main() -> int:
    """Print the table; 1 if any sample is read differently, or there is none."""
    samples = read_samples()
    sys.stdout.write(f"{draw_table(samples)}\n" if samples else f"no samples at {FOLDER}; set SHARED_DIR\n")
    return int(not samples or any(judge(sample)[0] is Outcome.DIFFERENT for sample in samples))


if __name__ == "__main__":
    sys.exit(main())
