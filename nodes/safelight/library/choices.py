"""A node for prompts that stand for many, and how pictures tell which one it was."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from safelight.diffusion.choices import ChoiceError, resolved
from safelight.graph.folders import Folders
from safelight.graph.node import Context, Help, Label, Node, Output, Range, Seed, Text

FOLDER = "wildcards"  # of the home
KEY = "resolved"  # of a picture's metadata: node -> the text that was chosen


class WildcardFiles:
    """The lines of text files in a folder of the user's."""

    def __init__(self, folders: Folders) -> None:
        self.root = folders.home / FOLDER

    def __call__(self, name: str) -> Sequence[str]:
        """Return the lines of a file that say something; `#` begins a remark.

        Raises:
            ChoiceError: there is no such file, or nothing is in it.
        """
        path = self.root / f"{name}.txt"
        if ".." in path.parts or not path.is_file():
            raise ChoiceError(f"there is no wildcard {name}; want a file {FOLDER}/{name}.txt")
        written = path.read_text(encoding="utf-8-sig").splitlines()
        lines = [line.strip() for line in written if line.strip() and not line.startswith("#")]
        if not lines:
            raise ChoiceError(f"the wildcard {name} is empty: {FOLDER}/{name}.txt")
        return lines

    def stamp(self) -> str:
        """Return a text that changes when any of the files does."""
        found = sorted(path for path in self.root.rglob("*.txt") if path.is_file())
        times = (f"{path.relative_to(self.root)}-{path.stat().st_mtime_ns}" for path in found)
        return ",".join(times)


class PromptChoices(Node):
    """Write a prompt that stands for many, and let a seed choose one.

    `{red|green|blue}` is one of three, `{2::red|blue}` red twice as often, `{|very }large`
    perhaps a word more; `__animal__` is a line of the file `wildcards/animal.txt` in
    Safelight's home. They may stand in one another; `\\{` is a plain brace. Pictures keep
    the text that was chosen beside the workflow, under "resolved".
    """

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Prompt with choices"
    text: Annotated[str, Text(multiline=True), Label("Prompt")]
    seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which choices to make.")] = 0

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        """Choose."""
        return resolved(self.text, self.seed, WildcardFiles(ctx.folders))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Choose again when a file has changed."""
        return WildcardFiles(folders).stamp()


def with_choices(metadata: Mapping[str, object], folders: Folders) -> Mapping[str, object]:
    """Return a picture's metadata with the texts that were chosen for it.

    A choice is a function of prompt, seed and files, and prompt and seed are in the metadata
    already; so it is made again. Where they come by wire from a plain value, that is followed.
    """
    prompt: Any = metadata.get("prompt")
    if not isinstance(prompt, Mapping):
        return metadata
    chosen: dict[str, str] = {}
    for key, node in prompt.items():
        if isinstance(node, Mapping) and node.get("class_type") == PromptChoices.__name__:
            text, seed = (_value(prompt, node, name) for name in ("text", "seed"))
            if isinstance(text, str) and isinstance(seed, int):
                chosen[key] = resolved(text, seed, WildcardFiles(folders))
    return {**metadata, KEY: chosen} if chosen else metadata


def _value(prompt: Mapping[str, Any], node: Mapping[str, Any], name: str) -> object:
    """Return an input's value; of a wire, the value of the primitive it comes from."""
    value: object = node.get("inputs", {}).get(name)
    if isinstance(value, list) and value and value[0] in prompt:
        source = prompt[value[0]]
        plain = str(source.get("class_type", "")).startswith("Primitive")
        return source.get("inputs", {}).get("value") if plain else None
    return value
