"""Numbers with their nouns, for messages and tables."""

from __future__ import annotations


def amount(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one.

    Args:
        count: The number.
        noun: The noun in the singular, with a regular plural.

    Example:
        >>> amount(1, "trainable weight"), amount(1200, "shot"), amount(2, "class"), amount(3, "entry")
        ('1 trainable weight', '1,200 shots', '2 classes', '3 entries')
    """
    return f"{count:,} {noun_of(count, noun)}"


def noun_of(count: float, noun: str) -> str:
    """Return a noun in the plural unless the count is one.

    Args:
        count: The number.
        noun: The noun in the singular, with a regular plural.

    Example:
        >>> noun_of(1, "job"), noun_of(0, "job"), noun_of(2, "batch"), noun_of(2, "epoch")
        ('job', 'jobs', 'batches', 'epochs')
    """
    return noun if count == 1 else _plural(noun)


def there_are(count: int, noun: str) -> str:
    """Return how many things there are, with their indices.

    Args:
        count: The number of things.
        noun: The noun in the singular, with a regular plural.

    Example:
        >>> there_are(0, "spin"), there_are(1, "spin"), there_are(4, "spin")
        ('there are no spins', 'there is 1 spin, 0', 'there are 4 spins, 0 to 3')
    """
    if not count:
        return f"there are no {_plural(noun)}"
    indices = "0" if count == 1 else f"0 to {count - 1}"
    return f"there {'is' if count == 1 else 'are'} {amount(count, noun)}, {indices}"


def percent(share: float) -> str:
    """Return a share in percent, with two digits or more.

    Args:
        share: The share, 1 for all.

    Example:
        >>> percent(1.0), percent(0.36), percent(0.0123)
        ('100 %', '36 %', '1.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeo":
        return f"{noun[:-1]}ies"
    hisses = noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("och")  # epochs
    return f"{noun}es" if hisses else f"{noun}s"
