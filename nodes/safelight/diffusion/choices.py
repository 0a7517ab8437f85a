r"""Choices: one prompt that stands for many, and a seed that picks one of them.

    {red|green|blue}        one of three
    {2::red|blue}           red twice as often
    {|very} large           perhaps a word
    __animal__              a line of the file animal.txt among the wildcards
    \{  \|  \}              the characters themselves

Choices and wildcards may stand in one another.  All are made from left to right by one
generator of the seed, so the same seed gives the same text; unused branches draw nothing.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

# The name of a wildcard -> the lines it may become.
Wildcards = Callable[[str], Sequence[str]]

_WILDCARD = re.compile(r"__([\w/-]+?)__")
_WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?)::")
DEEPEST = 30  # wildcards within wildcards, before it is taken for a circle


class ChoiceError(ValueError):
    """A prompt's choices cannot be made; the message says where."""


def resolved(prompt: str, seed: int, wildcards: Wildcards) -> str:
    """Return the prompt with every choice made.

    Raises:
        ChoiceError: a brace has no partner, a wildcard is not known, or wildcards lead in a
            circle.
    """
    return _Resolving(Random(seed), wildcards).text(prompt, 0)


class _Resolving:
    """One reading of a prompt."""

    def __init__(self, random: Random, wildcards: Wildcards) -> None:
        self.random = random
        self.wildcards = wildcards

    def text(self, prompt: str, depth: int) -> str:
        """Make the choices of a text without a brace around it."""
        if depth > DEEPEST:
            raise ChoiceError(f"wildcards lead in a circle: {prompt.strip()[:60]}")
        made: list[str] = []
        at = 0
        while at < len(prompt):
            if prompt[at] == "\\" and prompt[at + 1 : at + 2] in ("{", "|", "}"):
                made.append(prompt[at + 1])
                at += 2
            elif prompt[at] == "{":
                end = _partner(prompt, at)
                made.append(self.choice(prompt[at + 1 : end], depth))
                at = end + 1
            elif prompt[at] == "}":
                raise ChoiceError(f"a brace closes nothing, at letter {at + 1}: {prompt[:60]}")
            elif found := _WILDCARD.match(prompt, at):
                made.append(self.wildcard(found[1], depth))
                at = found.end()
            else:
                made.append(prompt[at])
                at += 1
        return "".join(made)

    def choice(self, inside: str, depth: int) -> str:
        """Choose one of the branches between two braces."""
        branches = _branches(inside)
        weights = [_WEIGHT.match(branch) for branch in branches]
        odds = [float(weight[1]) if weight else 1.0 for weight in weights]
        if not sum(odds):
            raise ChoiceError(f"all branches have weight 0: {{{inside}}}")
        (number,) = self.random.choices(range(len(branches)), odds)
        weight = weights[number]
        return self.text(branches[number][weight.end() if weight else 0 :], depth)

    def wildcard(self, name: str, depth: int) -> str:
        """Choose a line of a wildcard."""
        return self.text(self.random.choice(self.wildcards(name)), depth + 1)


def _partner(prompt: str, at: int) -> int:
    """Return where the brace that opens at `at` is closed."""
    open_ = 0
    for i, letter, plain in _letters(prompt, at):
        open_ += (letter == "{") - (letter == "}") if plain else 0
        if not open_:
            return i
    raise ChoiceError(f"a brace is not closed, at letter {at + 1}: {prompt[:60]}")


def _branches(inside: str) -> list[str]:
    """Split at bars that stand in no inner braces."""
    branches, begin, open_ = list[str](), 0, 0
    for i, letter, plain in _letters(inside, 0):
        open_ += (letter == "{") - (letter == "}") if plain else 0
        if plain and letter == "|" and not open_:
            branches.append(inside[begin:i])
            begin = i + 1
    return [*branches, inside[begin:]]


def _letters(text: str, begin: int) -> list[tuple[int, str, bool]]:
    """Return places, letters, and whether they are plain, not after a backslash."""
    letters: list[tuple[int, str, bool]] = []
    escaped = False
    for i in range(begin, len(text)):
        letters.append((i, text[i], not escaped))
        escaped = text[i] == "\\" and not escaped
    return letters
