import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.graph.parameters import looks_like_parameters, read_parameters, write_parameters

TEXT = """a cat, (in a hat:1.2)
on two lines
Negative prompt: blurry, dog
Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 7, Size: 512x768, Model: toon, \
Lora hashes: "a: 1, b: 2", Version: v1.6.0"""
WORDS = st.text(
    st.characters(codec="ascii", exclude_characters="\r\n:\x0b\x0c\x1c\x1d\x1e"), max_size=30
)


def test_a_text_of_another_program_becomes_the_usual_nodes() -> None:
    """Sampler and schedule in one name, a quoted list, more than one line."""
    prompt, guesses = read_parameters(TEXT)
    assert prompt["2"]["inputs"]["text"] == "a cat, (in a hat:1.2)\non two lines"
    assert prompt["3"]["inputs"]["text"] == "blurry, dog"
    inputs = prompt["5"]["inputs"]
    told = [inputs[name] for name in ("seed", "steps", "cfg", "sampler_name", "scheduler")]
    assert told == ["7", "25", "6.5", "dpmpp_2m", "karras"]
    assert prompt["4"]["inputs"] == {"width": "512", "height": "768", "batch_size": 1}
    assert prompt["1"]["inputs"] == {"ckpt_name": "toon.safetensors"}
    assert guesses == ("the checkpoint is taken to be the file toon.safetensors",)


def test_what_is_not_told_or_not_known_is_guessed_aloud() -> None:
    """Nothing is silently another picture."""
    _, guesses = read_parameters("a cat\nSteps: 5, Sampler: Frobnicate, Size: 64x64, Model: m")
    assert guesses == (
        "CFG scale is not told; it is now 7",
        "Seed is not told; it is now 0",
        "Frobnicate is not known here; the usual one is taken",
        "the checkpoint is taken to be the file m.safetensors",
    )


@pytest.mark.parametrize(("text", "is_one"), [(TEXT, True), ("a cat", False), ("", False)])
def test_such_texts_are_known_by_their_last_line(text: str, is_one: bool) -> None:
    """Other texts are no workflow."""
    assert looks_like_parameters(text) is is_one


def test_a_prompt_without_a_sampler_has_no_such_text() -> None:
    """There is nothing to tell."""
    assert write_parameters({"1": {"class_type": "LoadImage", "inputs": {}}}) is None


@settings(deadline=None, max_examples=50)
@given(WORDS, WORDS, st.integers(0, 2**53), st.integers(1, 99), st.sampled_from(["euler", "lcm"]))
def test_what_is_written_is_read_again(
    positive: str, negative: str, seed: int, steps: int, sampler: str
) -> None:
    """Reading and writing are each other's inverse on what the text can tell."""
    told = f"Steps: {steps}, Sampler: {sampler}, CFG scale: 7, Seed: {seed}, Size: 64x32, Model: m"
    prompt, _ = read_parameters(f"{positive}\nNegative prompt: {negative}\n{told}")
    written = write_parameters(prompt)
    assert written is not None
    again, _ = read_parameters(written)
    assert again == prompt


def test_what_a_wire_brings_is_told_only_where_it_is_plain() -> None:
    """A primitive's value is the sampler's; what a computation gives is known to no prompt."""
    prompt, _ = read_parameters(TEXT)
    prompt["5"]["inputs"] |= {"seed": ["8", 0], "cfg": ["9", 0]}
    prompt["8"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    prompt["9"] = {"class_type": "Sum", "inputs": {"value": 1, "other": ["8", 0]}}
    written = write_parameters(prompt)
    assert written is not None
    assert "Seed: 77" in written
    assert "CFG scale" not in written
    prompt["5"]["inputs"]["steps"] = ["9", 0]
    assert write_parameters(prompt) is None
